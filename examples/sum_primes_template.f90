! sum_primes.f90 with a template: the task and what its submissions share, a group, a name, a time-out and one further
! try here, are written down once.
!
!     gfortran sum_primes_template.f90 $(pkg-config --cflags --libs ppmpi-fortran) -o sum_primes_template
module work
  use ppmpi
  use, intrinsic :: iso_fortran_env, only: int64, error_unit
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
  type(pp_template) :: sum_of_primes
  type(pp_future) :: sums(tasks)
  integer(int64) :: n(tasks), total
  integer :: i, status
  logical :: failed

  server = pp_server_open()

  sum_of_primes%function => sum_primes
  sum_of_primes%options%group = 'primes'
  sum_of_primes%options%name = 'sum of primes'
  sum_of_primes%options%timeout = 60 ! seconds for each try
  sum_of_primes%options%retries = 1

  n = [(100000_int64 + 100 * i, i = 0, tasks - 1)]
  do i = 1, tasks
    sums(i) = pp_template_submit(server, sum_of_primes, n(i))
  end do

  failed = .false.
  do i = 1, tasks
    call pp_fetch(sums(i), total, ierr=status) ! with ierr the program goes on when a task has failed
    if (status == PP_OK) then
      print '(a,i0,a,i0)', 'Sum of primes below ', n(i), ' is ', total
    else
      write (error_unit, '(2a)') 'sum_primes_template: ', pp_last_error()
      failed = .true.
    end if
  end do

  call pp_print_stats(server)
  call pp_server_close(server)
  if (failed) stop 1
end program
