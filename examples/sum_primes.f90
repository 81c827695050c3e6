! Sums of the primes below 100000, 100100, … 100700: the classic example of Parallel Python, eight independent calls of
! one function. The results are printed in the order of submission, whoever finishes first; the table at the end says
! which node did how much of the work.
!
!     gfortran sum_primes.f90 $(pkg-config --cflags --libs ppmpi-fortran) -o sum_primes
module work
  use ppmpi
  use, intrinsic :: iso_fortran_env, only: int64
  implicit none
contains
  logical function is_prime(n)
    integer(int64), intent(in) :: n
    integer(int64) :: d

    is_prime = .false.
    if (n < 2) return
    d = 2
    do while (d * d <= n)
      if (mod(n, d) == 0) return
      d = d + 1
    end do
    is_prime = .true.
  end function

  subroutine sum_primes(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer(int64) :: n, i, total

    call pp_task_args(task, n)
    total = 0
    do i = 2, n - 1
      if (is_prime(i)) total = total + i
    end do
    call pp_task_return(task, total)
  end subroutine
end module

program main
  use work
  implicit none
  integer, parameter :: tasks = 8
  type(pp_server) :: server
  type(pp_future) :: sums(tasks)
  integer(int64) :: n(tasks), total
  integer :: i

  server = pp_server_open()

  n = [(100000_int64 + 100 * i, i = 0, tasks - 1)]
  do i = 1, tasks
    sums(i) = pp_submit(server, sum_primes, n(i))
  end do

  do i = 1, tasks
    call pp_fetch(sums(i), total)
    print '(a,i0,a,i0)', 'Sum of primes below ', n(i), ' is ', total
  end do

  call pp_print_stats(server)
  call pp_server_close(server)
end program
