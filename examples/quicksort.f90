! Sorts a million numbers. The program itself splits the array around pivots, as quicksort does, until there are up to
! sixteen parts; each part is a task, whose result pp_fetch writes back to where the part was.
!
!     gfortran quicksort.f90 $(pkg-config --cflags --libs ppmpi-fortran) -o quicksort
module work
  use ppmpi
  use, intrinsic :: iso_fortran_env, only: int32, int64
  implicit none

  type part
    integer :: first, last
    type(pp_future) :: sorted
  end type
contains
  ! Reorders a, of more than one number, so that none of the first is greater than one of the others; gives how many
  ! come first, 1 to size(a) - 1.
  subroutine split(a, first)
    integer(int32), intent(inout) :: a(:)
    integer, intent(out) :: first
    integer(int32) :: pivot
    integer :: i, j

    pivot = a((size(a) + 1) / 2)
    i = 1
    j = size(a)
    do
      do while (a(i) < pivot)
        i = i + 1
      end do
      do while (a(j) > pivot)
        j = j - 1
      end do
      if (i >= j) exit
      a([i, j]) = a([j, i])
      i = i + 1
      j = j - 1
    end do
    first = j
  end subroutine

  recursive subroutine quicksort(a)
    integer(int32), intent(inout) :: a(:)
    integer :: first

    if (size(a) < 2) return
    call split(a, first)
    call quicksort(a(:first))
    call quicksort(a(first + 1:))
  end subroutine

  subroutine sort_part(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer(int32), allocatable :: a(:)

    allocate (a(pp_task_args_size(task, 1)))
    call pp_task_args(task, a)
    call quicksort(a)
    call pp_task_return(task, a)
  end subroutine

  ! Submits parts of a(first:last) for sorting and appends them to the list of parts.
  recursive subroutine submit(server, a, first, last, depth, parts)
    type(pp_server), intent(in) :: server
    integer(int32), intent(inout) :: a(:)
    integer, intent(in) :: first, last, depth
    type(part), allocatable, intent(inout) :: parts(:)
    integer :: n

    if (depth == 0 .or. first >= last) then
      parts = [parts, part(first, last, pp_submit(server, sort_part, a(first:last)))]
    else
      call split(a(first:last), n)
      call submit(server, a, first, first + n - 1, depth - 1, parts)
      call submit(server, a, first + n, last, depth - 1, parts)
    end if
  end subroutine
end module

program main
  use work
  implicit none
  integer, parameter :: numbers = 1000000, depth = 4
  type(pp_server) :: server
  integer(int32), allocatable :: a(:)
  type(part), allocatable :: parts(:)
  integer(int64) :: next
  integer :: i
  logical :: sorted

  server = pp_server_open()

  allocate (a(numbers), parts(0))
  next = 1
  do i = 1, numbers
    next = mod(next * 1664525 + 1013904223, 2_int64**32)
    a(i) = int(next / 256, int32)
  end do

  call submit(server, a, 1, numbers, depth, parts)
  do i = 1, size(parts)
    call pp_fetch(parts(i)%sorted, a(parts(i)%first:parts(i)%last))
  end do

  sorted = all(a(:numbers - 1) <= a(2:))
  print '(i0,2a)', numbers, ' numbers, ', trim(merge('sorted    ', 'NOT sorted', sorted))
  do i = 1, numbers, numbers / 10
    print '(a,i6,a,i8)', 'number ', i, ' is ', a(i)
  end do
  call pp_server_close(server)
  if (.not. sorted) stop 1
end program
