! What the tests share: claims, and tasks that give back the bytes they are given.
module check
  use ppmpi
  use, intrinsic :: iso_c_binding
  use, intrinsic :: iso_fortran_env
  implicit none
  integer :: claims = 0, failures = 0
contains
  ! what: the claim, which holds when ok.
  subroutine claim(ok, what)
    logical, intent(in) :: ok
    character(len=*), intent(in) :: what
    claims = claims + 1
    if (ok) return
    failures = failures + 1
    write(error_unit, '(2a)') 'not so: ', what
  end subroutine

  subroutine claim_status(status, expected, what)
    integer(c_int), intent(in) :: status, expected
    character(len=*), intent(in) :: what
    character(len=16) :: got
    write(got, '(i0)') status
    call claim(status == expected, what // ': status ' // trim(got) // ' (' // pp_last_error() // ')')
  end subroutine

  ! Ends the program with what the claims came to; least: how many there must have been.
  subroutine conclude(least)
    integer, intent(in) :: least
    write(output_unit, '(i0,a,i0,a)') claims, ' claims, ', failures, ' failed'
    flush(output_unit)
    if (failures > 0 .or. claims < least) error stop 1
  end subroutine

  ! One argument of any type: its bytes.
  subroutine echo_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    character(len=1), allocatable :: bytes(:)
    allocate(bytes(pp_task_args_bytes(task, 1)))
    call pp_task_args(task, bytes)
    call pp_task_return(task, bytes)
  end subroutine

  ! The second of three arguments of any type: its bytes.
  subroutine second_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer(c_size_t) :: n(3), bytes(3)
    integer :: i
    do i = 1, 3
      n(i) = pp_task_args_size(task, i)
      bytes(i) = pp_task_args_bytes(task, i) / max(n(i), 1_c_size_t)
    end do
    block
      character(len=bytes(1)) :: a(n(1))
      character(len=bytes(2)) :: b(n(2))
      character(len=bytes(3)) :: c(n(3))
      call pp_task_args(task, a, b, c)
      call pp_task_return(task, b)
    end block
  end subroutine
end module
