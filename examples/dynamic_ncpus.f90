! The same work with 1, 2, 4 workers and then one on each core: pp_set_ncpus changes their number while the program
! runs. The results are the same to the last bit, since they are added up in the order of submission. Times go to
! stderr.
!
!     gfortran dynamic_ncpus.f90 $(pkg-config --cflags --libs ppmpi-fortran) -o dynamic_ncpus
!     ./dynamic_ncpus             under a launcher, the ranks of rank 0's node share the workers, other nodes keep theirs
module work
  use ppmpi
  use, intrinsic :: iso_fortran_env, only: int64, real64, error_unit
  implicit none
  integer(int64), parameter :: parts = 64, terms = 1000000
contains
  ! Terms first … last of pi = 4 - 4/3 + 4/5 - 4/7 + …
  subroutine part_sum(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer(int64) :: first, last, i
    real(real64) :: part

    call pp_task_args(task, first, last)
    part = 0
    do i = last, first, -1 ! small terms first
      part = part + merge(4, -4, mod(i, 2_int64) == 0) / (2 * real(i, real64) + 1)
    end do
    call pp_task_return(task, part)
  end subroutine

  real(real64) function pi(server)
    type(pp_server), intent(in) :: server
    type(pp_future) :: f(parts)
    real(real64) :: part
    integer(int64) :: i

    do i = 1, parts
      f(i) = pp_submit(server, part_sum, (i - 1) * terms, i * terms - 1)
    end do
    pi = 0
    do i = 1, parts
      call pp_fetch(f(i), part)
      pi = pi + part
    end do
  end function
end module

program dynamic_ncpus
  use work
  implicit none
  integer, parameter :: wanted(4) = [1, 2, 4, PP_AUTODETECT]
  type(pp_server) :: server
  integer(int64) :: start, finish, rate
  integer :: i
  character(len=:), allocatable :: workers

  server = pp_server_open()
  do i = 1, size(wanted)
    call pp_set_ncpus(server, wanted(i))
    select case (wanted(i))
    case (1)
      workers = '1 worker: '
    case (PP_AUTODETECT)
      workers = 'a worker on each core:'
    case default
      workers = achar(iachar('0') + wanted(i)) // ' workers:'
    end select

    call system_clock(start, rate)
    print '(2a,f14.12)', workers, ' pi is about ', pi(server)
    call system_clock(finish)
    write (error_unit, '(i0,a,f5.3,a)') pp_get_ncpus(server), ' workers in the farm: ', &
      real(finish - start, real64) / real(rate, real64), ' s'
  end do
  call pp_server_close(server)
end program
