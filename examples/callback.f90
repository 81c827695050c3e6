! ln 2 = 1 - 1/2 + 1/3 - 1/4 + …: parts of the series are tasks, and a callback adds each to the sum as soon as it is
! there. Callbacks run one at a time, so that the sum needs no lock; while they run the program is free to do other
! things, here to wait for all of them.
!
!     gfortran callback.f90 $(pkg-config --cflags --libs ppmpi-fortran) -o callback
module work
  use ppmpi
  use, intrinsic :: iso_c_binding, only: c_ptr, c_f_pointer
  use, intrinsic :: iso_fortran_env, only: int64, real64, error_unit
  implicit none

  type total
    real(real64) :: sum = 0
    integer :: parts = 0
  end type
contains
  ! Terms first … last of the series.
  subroutine part_sum(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer(int64) :: first, last, i
    real(real64) :: part

    call pp_task_args(task, first, last)
    part = 0
    do i = last, first, -1 ! small terms first
      part = part + merge(1, -1, mod(i, 2_int64) == 1) / real(i, real64)
    end do
    call pp_task_return(task, part)
  end subroutine

  subroutine add(f, arg) bind(C, name='')
    type(pp_future), value :: f
    type(c_ptr), value :: arg
    type(total), pointer :: t
    real(real64) :: part
    integer :: status

    call c_f_pointer(arg, t)
    call pp_fetch(f, part, ierr=status)
    if (status == PP_OK) then
      t%sum = t%sum + part
      t%parts = t%parts + 1
    else
      write (error_unit, '(2a)') 'callback: ', pp_last_error()
      call pp_release(f)
    end if
  end subroutine
end module

program main
  use work
  use, intrinsic :: iso_c_binding, only: c_loc, c_double
  implicit none
  integer(int64), parameter :: parts = 40, terms = 1000000
  type(pp_server) :: server
  type(pp_submit_options) :: options
  type(pp_future) :: f
  type(total), target :: t
  integer(int64) :: i

  server = pp_server_open()

  options%callback => add
  options%callback_arg = c_loc(t)
  do i = 1, parts
    f = pp_submit_with(server, options, part_sum, 1 + (i - 1) * terms, i * terms) ! add has f: nothing to keep here
  end do

  call pp_wait_group(server, seconds=-1.0_c_double) ! until all tasks and their callbacks have ended
  print '(i0,a,i0,a)', t%parts, ' of ', parts, ' parts'
  print '(a,f11.9)', 'Sum of the series:  ', t%sum
  print '(a,f11.9)', 'ln 2:               ', log(2.0_real64)

  call pp_server_close(server)
  if (t%parts /= parts) stop 1
end program
