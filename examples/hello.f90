! The smallest program: two calls of an ordinary function, run by the workers of the farm.
!
!     gfortran hello.f90 $(pkg-config --cflags --libs ppmpi-fortran) -o hello
!     ./hello                     every core of this machine
!     mpirun -np 4 ./hello        the same under MPI
module work
  use ppmpi
  use, intrinsic :: iso_fortran_env, only: int64
  implicit none
contains
  ! Sum of the primes below n, by trial division. Nothing in it knows about parallel work.
  integer(int64) function sum_primes(n)
    integer(int64), intent(in) :: n
    integer(int64) :: i, d

    sum_primes = 0
    do i = 2, n - 1
      d = 2
      do while (d * d <= i .and. mod(i, d) /= 0)
        d = d + 1
      end do
      if (d * d > i) sum_primes = sum_primes + i
    end do
  end function

  ! The function as a task: its arguments, in the order of pp_submit, and its result.
  subroutine sum_primes_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer(int64) :: n

    call pp_task_args(task, n)
    call pp_task_return(task, sum_primes(n))
  end subroutine
end module

program hello
  use work
  implicit none
  type(pp_server) :: server
  type(pp_future) :: f1, f2
  integer(int64) :: r1, r2

  ! A worker on every core there is. A call that fails says why and stops the program, unless it is passed ierr=.
  server = pp_server_open()

  f1 = pp_submit(server, sum_primes_task, 100000_int64) ! both calls are under way at once
  f2 = pp_submit(server, sum_primes_task, 200000_int64)

  call pp_fetch(f1, r1) ! waits for the result
  call pp_fetch(f2, r2)

  print '(i0,1x,i0)', r1, r2
  call pp_server_close(server)
end program
