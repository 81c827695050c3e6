! ranks: 2
! Shared data: of any type and shape, in tasks and in the program, until it is unshared.
module share_tasks
  use check
  implicit none

  type, bind(C) :: particle
    real(c_double) :: x(3)
    integer(c_int) :: charge
  end type

contains

  ! The sum of table(first:last), which is shared.
  subroutine sum_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    type(pp_shared) :: shared
    type(c_ptr) :: address
    integer(c_size_t) :: bytes
    integer :: first, last
    real(real64), pointer :: table(:)
    call pp_task_args(task, first, shared, last)
    call pp_shared_data(shared, address, bytes)
    call c_f_pointer(address, table, [bytes / 8])
    call pp_task_return(task, sum(table(first:last)))
  end subroutine

  ! Its bytes, in the order of elements.
  subroutine bytes_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    type(pp_shared) :: shared
    type(c_ptr) :: address
    integer(c_size_t) :: bytes
    character(len=1), pointer :: data(:)
    call pp_task_args(task, shared)
    call pp_shared_data(shared, address, bytes)
    call c_f_pointer(address, data, [bytes])
    call pp_task_return(task, data)
  end subroutine

  subroutine status_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    type(pp_shared) :: shared
    type(c_ptr) :: address
    integer(c_size_t) :: bytes
    integer(c_int) :: status
    address = c_null_ptr
    bytes = 77
    call pp_task_args(task, shared)
    call pp_shared_data(shared, address, bytes, ierr=status)
    if (c_associated(address) .or. bytes /= 77) status = 99
    call pp_task_return(task, status)
  end subroutine
end module

program test_share
  use share_tasks
  implicit none
  type(pp_server) :: server
  server = pp_server_open()
  call a_table_is_summed_in_parts()
  call any_type_and_shape()
  call unshared_is_unshared()
  call errors()
  call pp_server_close(server)
  call conclude(35)

contains

  subroutine a_table_is_summed_in_parts()
    integer, parameter :: n = 1000000, parts = 20
    real(real64), allocatable :: table(:)
    type(pp_shared) :: shared
    type(pp_future) :: f(parts)
    real(real64) :: part, total
    integer :: i
    table = [(real(mod(i, 1000), real64), i = 1, n)]
    call pp_share(server, table, shared)
    do i = 1, parts
      f(i) = pp_submit(server, sum_task, 1 + (i - 1) * (n / parts), shared, i * (n / parts))
    end do
    call pp_unshare(server, shared)
    table = -1 ! a copy was made
    total = 0
    do i = 1, parts
      call pp_fetch(f(i), part)
      total = total + part
    end do
    call claim(total == 499.5_real64 * n, 'the parts add up')
  end subroutine

  subroutine any_type_and_shape()
    integer(int8) :: grid(4, 6, 5)
    character(len=7) :: words(3) = ['one    ', 'two    ', 'three  ']
    complex(real32) :: z = (1, 2)
    type(particle) :: p(10)
    real(real64) :: nothing(0)
    type(pp_shared) :: shared
    character(len=1) :: letters(21)
    integer :: i, k
    grid = reshape([(int(i, int8), i = 1, size(grid))], shape(grid))
    do i = 1, size(p)
      p(i) = particle([1.0_c_double, 2.0_c_double, real(i, c_double)], i)
    end do
    call pp_share(server, grid, shared)
    call shared_is(shared, transfer(grid, ['x']), 'an array of rank 3')
    call pp_share(server, grid(4:1:-2, 2:5, ::2), shared)
    call shared_is(shared, transfer(grid(4:1:-2, 2:5, ::2), ['x']), 'a section')
    do i = 1, 3
      do k = 1, 7
        letters(7 * (i - 1) + k) = words(i)(k:k)
      end do
    end do
    call pp_share(server, words, shared)
    call shared_is(shared, letters, 'texts')
    call pp_share(server, words(2)(2:3), shared)
    call shared_is(shared, ['w', 'o'], 'a part of a text')
    call pp_share(server, z, shared)
    call shared_is(shared, transfer(z, ['x']), 'a complex number')
    call pp_share(server, p, shared)
    call shared_is(shared, transfer(p, ['x']), 'a derived type')
    call pp_share(server, p%charge, shared)
    call shared_is(shared, transfer([(p(i)%charge, i = 1, size(p))], ['x']), 'a component')
    call pp_share(server, nothing, shared)
    call shared_is(shared, transfer(nothing, ['x']), 'nothing')
  end subroutine

  subroutine shared_is(shared, expected, what)
    type(pp_shared), intent(in) :: shared
    character(len=1), intent(in) :: expected(:)
    character(len=*), intent(in) :: what
    type(pp_future) :: f
    character(len=1) :: got(size(expected))
    type(c_ptr) :: address
    integer(c_size_t) :: bytes
    integer(c_int) :: status
    character(len=1), pointer :: here(:)
    f = pp_submit(server, bytes_task, shared)
    got = '?'
    call pp_fetch(f, got, ierr=status)
    call claim_status(status, PP_OK, what)
    call claim(all(got == expected), what // ' in a task')
    call pp_shared_data(shared, address, bytes)
    call c_f_pointer(address, here, [bytes])
    call claim(size(here) == size(expected), what // ' has its size')
    call claim(all(here == expected), what // ' in the program')
    call pp_unshare(server, shared)
  end subroutine

  subroutine unshared_is_unshared()
    type(pp_shared) :: shared
    type(pp_future) :: f
    integer(c_int) :: status
    call pp_share(server, [1, 2, 3], shared)
    call pp_unshare(server, shared)
    f = pp_submit(server, status_task, shared)
    call pp_fetch(f, status)
    call claim_status(status, PP_ERR_HANDLE, 'unshared before the task was submitted')
    f = pp_submit(server, status_task, PP_NULL_SHARED)
    call pp_fetch(f, status)
    call claim_status(status, PP_ERR_HANDLE, 'null in a task')
    ! Without ierr the task ends, as by error stop.
    f = pp_submit(server, bytes_task, shared)
    call pp_fetch(f, ierr=status)
    call claim_status(status, PP_ERR_CRASHED, 'without ierr')
    call pp_release(f)
    call pp_unshare(server, shared, ierr=status)
    call claim_status(status, PP_ERR_HANDLE, 'unshared twice')
    call claim(index(pp_last_error(), 'already') > 0, 'the reason is told')
    call pp_unshare(server, PP_NULL_SHARED, ierr=status)
    call claim_status(status, PP_ERR_HANDLE, 'unshare null')
  end subroutine

  subroutine errors()
    type(pp_shared) :: shared, before
    type(pp_server) :: closed
    real, pointer :: nowhere(:) => null()
    real :: assumed(4)
    type(c_ptr) :: address
    integer(c_size_t) :: bytes
    integer(c_int) :: status
    call pp_share(server, 1, before)
    shared = before
    call pp_share(server, nowhere, shared, ierr=status)
    call claim_status(status, PP_ERR_ARG, 'not associated')
    call share_assumed(assumed, shared, status)
    call claim_status(status, PP_ERR_ARG, 'assumed size')
    call pp_share(closed, 1, shared, ierr=status)
    call claim_status(status, PP_ERR_ARG, 'no server')
    ! The shim's errors before do not cover the library's.
    address = c_null_ptr
    call pp_shared_data(PP_NULL_SHARED, address, bytes, ierr=status)
    call claim_status(status, PP_ERR_HANDLE, 'null in the program')
    call pp_unshare(server, shared) ! it is as it was
  end subroutine

  subroutine share_assumed(array, shared, status)
    real, intent(in) :: array(*)
    type(pp_shared), intent(inout) :: shared
    integer(c_int), intent(out) :: status
    call pp_share(server, array, shared, ierr=status)
  end subroutine
end program
