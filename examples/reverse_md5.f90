! Which number below five million has this MD5 digest? A hundred tasks each try a part of the numbers; when one of them
! has found it, the others are cancelled: those that wait never start, those that run are stopped. The digests come from
! a library in C.
!
!     gfortran reverse_md5.f90 $(pkg-config --cflags --libs ppmpi-fortran) -lmd -o reverse_md5      (Debian: libmd-dev)
module work
  use ppmpi
  use, intrinsic :: iso_c_binding, only: c_char, c_size_t, c_ptr, c_null_char
  use, intrinsic :: iso_fortran_env, only: int64
  implicit none

  interface
    ! Writes the digest of data to hex, as 32 characters and a null, and returns the address of hex.
    type(c_ptr) function md5data(data, length, hex) bind(C, name='MD5Data')
      import :: c_ptr, c_char, c_size_t
      character(kind=c_char), intent(in) :: data(*)
      integer(c_size_t), value :: length
      character(kind=c_char), intent(out) :: hex(*)
    end function
  end interface
contains
  function md5(number) result(digest)
    integer(int64), intent(in) :: number
    character(len=32) :: digest
    character(len=24) :: text
    character(len=33, kind=c_char) :: hex
    type(c_ptr) :: address

    write (text, '(i0)') number
    hex = c_null_char
    address = md5data(text, len_trim(text, c_size_t), hex)
    digest = hex(1:32)
  end function

  ! The number from first to last that has this digest, or -1.
  subroutine reverse_md5(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    character(len=32) :: wanted
    integer(int64) :: first, last, number

    call pp_task_args(task, wanted, first, last)
    do number = first, last
      if (md5(number) == wanted) exit
    end do
    if (number > last) number = -1
    call pp_task_return(task, number)
  end subroutine
end module

program main
  use work
  use, intrinsic :: iso_c_binding, only: c_double
  implicit none
  integer(int64), parameter :: numbers = 5000000, n = 100, part = numbers / n
  type(pp_server) :: server
  type(pp_future) :: tasks(n)
  character(len=32) :: wanted
  integer(int64) :: number, k
  integer :: i, status

  server = pp_server_open()
  wanted = md5(1829182_int64)
  do k = 1, n
    tasks(k) = pp_submit(server, reverse_md5, wanted, (k - 1) * part, k * part - 1)
  end do

  number = -1
  do while (number < 0)
    call pp_wait_any(tasks, -1.0_c_double, i, ierr=status)
    if (status /= PP_OK) exit ! PP_END: no task is left
    call pp_fetch(tasks(i), number)
    tasks(i) = PP_NULL_FUTURE ! pp_wait_any skips it from now on
  end do

  do i = 1, size(tasks)
    if (tasks(i) == PP_NULL_FUTURE) cycle
    call pp_cancel(tasks(i)) ! no error when it had just finished
    call pp_release(tasks(i))
  end do

  if (number < 0) then
    print '(a,i0,2a)', 'no number below ', numbers, ' has the MD5 digest ', wanted
  else
    print '(2a,i0)', wanted, ' is the MD5 digest of ', number
  end if
  call pp_server_close(server)
  if (number < 0) stop 1
end program
