! The program of the manual, word for word but for the result's line.
module work
  use ppmpi
  use, intrinsic :: iso_fortran_env, only: int64
contains
  integer(int64) function sum_primes(n)
    integer(int64), intent(in) :: n
    integer(int64) :: i, k
    sum_primes = 0
    do i = 2, n
      k = 2
      do while (k * k <= i)
        if (mod(i, k) == 0) exit
        k = k + 1
      end do
      if (k * k > i) sum_primes = sum_primes + i
    end do
  end function

  subroutine sum_primes_task(task) bind(C, name='')          ! tasks live in modules (an internal procedure is refused)
    type(pp_task), intent(inout) :: task
    integer(int64) :: n
    call pp_task_args(task, n)                               ! up to 8, in the order of submission; size and count are checked
    call pp_task_return(task, sum_primes(n))
  end subroutine
end module

program main
  use work
  type(pp_server) :: server
  type(pp_future) :: f1
  integer(int64)  :: r1
  server = pp_server_open()
  f1 = pp_submit(server, sum_primes_task, 100000_int64)      ! up to 8 data arguments
  call pp_fetch(f1, r1)                                      ! scalar or array, whose size must match
  write(*, '(i0)') r1
  call pp_server_close(server)
end program
