! ranks: 2
! What goes wrong and is told: sizes, counts, places, and how a task ends that fails, stops or breaks.
module errors
  use check
  implicit none
  integer, save :: in_module(3) = [1, 2, 3]
contains
  subroutine fail_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    call pp_task_fail(task, 42, 'the text of it   ')
    call pp_task_return(task, 1)
  end subroutine

  ! Asks for two arguments: three integers and a number.
  subroutine two_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer :: list(3)
    real(real64) :: x
    list = 0
    call pp_task_args(task, list, x)
    call pp_task_return(task, sum(list))
  end subroutine

  ! Never ends, and never sees anything of its caller's, when it goes on without its argument.
  subroutine stuck_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer, volatile :: n
    integer :: read_n
    n = 0
    call pp_task_args(task, read_n)
    do while (n == 0)
    end do
    call pp_task_return(task, read_n)
  end subroutine

  subroutine no_size_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    call pp_task_return(task, pp_task_args_size(task, 3))
  end subroutine

  subroutine no_value_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    real, allocatable, save :: nothing(:)
    call pp_task_return(task, nothing)
    stop 5
  end subroutine

  subroutine one_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer :: n
    n = 0
    call pp_task_args(task, n)
    call pp_task_return(task, n)
  end subroutine

  subroutine none_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    call pp_task_args(task)
  end subroutine

  ! The statuses of wrong requests inside a task, and whether the outputs stayed as they were.
  subroutine inside_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer(c_int) :: status(12)
    integer :: list(3), four(4)
    integer(c_size_t) :: n
    real(real64) :: x
    real(real32) :: y
    real, allocatable, save :: nothing(:)
    type(pp_server) :: server
    type(pp_future) :: f
    list = -1; four = -1; x = -1
    call pp_task_args(task, list, ierr=status(1))
    call pp_task_args(task, list, x, x, ierr=status(2))
    call pp_task_args(task, four, x, ierr=status(3))
    call pp_task_args(task, list, y, ierr=status(4))
    call pp_task_args(task, four, y, nothing, list, ierr=status(5))
    n = pp_task_args_size(task, 3, ierr=status(6))
    n = n + pp_task_args_size(task, 0, ierr=status(7))
    f = pp_submit(server, none_task, ierr=status(8))
    server = pp_server_open(ierr=status(9))
    call pp_fetch(f, ierr=status(10))
    call pp_task_return(task, nothing, ierr=status(11))
    status(12) = merge(0, 1, all(list == -1) .and. all(four == -1) .and. x < 0 .and. n == 0)
    call pp_task_return(task, status)
  end subroutine

  subroutine stop_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer :: how
    integer, volatile :: i
    call pp_task_args(task, how)
    i = 4
    select case (how)
    case (1); stop
    case (2); stop 5
    case (3); error stop 7
    case (4); error stop 'text'
    case (5); in_module(i) = 1
    case (6); read(*, *) i ! there is nothing to read
    case (7); call pp_server_close_in_task()
    end select
    call pp_task_return(task, how)
  end subroutine

  subroutine pp_server_close_in_task()
    type(pp_server) :: server
    call pp_server_close(server) ! fails, and so stops
  end subroutine

  subroutine expect(f, status, code, text, what)
    type(pp_future), intent(in) :: f
    integer(c_int), intent(in) :: status, code
    character(len=*), intent(in) :: text, what
    type(pp_task_info) :: info
    call pp_wait(f)
    call pp_info(f, info)
    call claim(info%status == status .and. info%code == code, what // ': status and code: ' // trim(info%message))
    call claim(index(info%message, text) > 0, what // ': message: ' // trim(info%message))
    call pp_release(f)
  end subroutine
end module

program test_errors
  use errors
  implicit none
  type(pp_server) :: server, other
  type(pp_future) :: f
  type(pp_task_info) :: info
  integer(c_int) :: ierr, status(12), i
  integer(c_int), parameter :: expected(12) = [PP_ERR_SIZE, PP_ERR_SIZE, PP_ERR_SIZE, PP_ERR_SIZE, PP_ERR_ARG, PP_ERR_SIZE, &
                                               PP_ERR_ARG, PP_ERR_STATE, PP_ERR_STATE, PP_ERR_STATE, PP_ERR_ARG, PP_OK]
  integer :: n, two(2), host
  character(len=:), allocatable :: text

  f = pp_submit(server, none_task, ierr=ierr)
  call claim_status(ierr, PP_ERR_ARG, 'no server yet')
  server = pp_server_open(pp_options(workers=2))
  text = pp_last_error()
  call claim(text == '', 'opening clears the last error: ' // text)
  other = pp_server_open(ierr=ierr)
  call claim_status(ierr, PP_ERR_STATE, 'opened twice')

  call expect(pp_submit(server, fail_task), PP_ERR_TASK, 42, 'the text of it', 'pp_task_fail')
  f = pp_submit(server, fail_task)
  n = -5
  call pp_fetch(f, n, ierr=ierr)
  call claim_status(ierr, PP_ERR_TASK, 'fetching a failed task')
  call claim(n == -5, 'and nothing is fetched')
  call claim(index(pp_last_error(), 'the text of it') > 0, 'says why: ' // pp_last_error())
  call pp_info(f, info)
  call claim(info%message == 'the text of it', 'message without trailing blanks: ' // trim(info%message))
  call pp_release(f)

  f = pp_submit(server, one_task, 5)
  two = -5
  call pp_fetch(f, two, ierr=ierr)
  call claim_status(ierr, PP_ERR_SIZE, 'fetching more than there is')
  call pp_fetch(f, ierr=ierr)
  call claim_status(ierr, PP_ERR_SIZE, 'fetching nothing where there is something')
  call claim(all(two == -5), 'and nothing was fetched')
  call pp_fetch(f, two(1:2:2))
  call claim(two(1) == 5, 'the future stayed')
  call pp_fetch(f, n, ierr=ierr)
  call claim_status(ierr, PP_ERR_HANDLE, 'fetching twice')
  call pp_info(PP_NULL_FUTURE, info, ierr=ierr)
  call claim_status(ierr, PP_ERR_HANDLE, 'pp_info of the null future')
  f = pp_submit(server, echo_task, [1, 2, 3, 4])
  call pp_fetch(f, two, ierr=ierr)
  call claim_status(ierr, PP_ERR_SIZE, 'fetching less than there is')
  call pp_release(f)

  call pp_fetch(pp_submit(server, two_task, [1, 2, 3], 1.0_real64), n)
  call claim(n == 6, 'two arguments')
  call pp_fetch(pp_submit(server, none_task))
  f = pp_submit(server, inside_task, [1, 2, 3], 1.0_real64)
  call pp_fetch(f, status)
  do i = 1, 12
    call claim_status(status(i), expected(i), 'inside a task')
  end do

  call size_error(pp_submit(server, one_task, 5_int64), '8 bytes', 'a longer argument')
  call size_error(pp_submit(server, one_task), '0 bytes', 'no argument')
  call size_error(pp_submit(server, one_task, 5, 6), '2 arguments', 'two arguments instead of one')
  call size_error(pp_submit(server, two_task, 5), '1 arguments', 'one argument instead of two')
  call size_error(pp_submit(server, two_task, [1, 2, 3], 1.0_real64, 3), '3 arguments', 'three arguments instead of two')
  call size_error(pp_submit(server, two_task, [1, 2], 1.0_real64), 'argument 1', 'an array that is too short')
  call size_error(pp_submit(server, two_task, [1, 2, 3], 1.0_real32), 'argument 2', 'a shorter kind')
  call size_error(pp_submit(server, none_task, 5), 'but 0', 'an argument nobody asks for')
  call size_error(pp_submit(server, one_task, [2_int16, 3_int16]), '2 elements', 'as many bytes, but of another kind')
  call size_error(pp_submit(server, stuck_task, [1, 2]), '2 elements', 'the task ends where its arguments are wrong')
  call size_error(pp_submit(server, no_size_task, 1, 2), 'argument 3', 'size of an argument that is not there')
  call expect(pp_submit(server, no_value_task), PP_ERR_ARG, PP_ERR_ARG, 'not allocated', 'a result that is not allocated')

  call expect(pp_submit(server, stop_task, 1), PP_ERR_CRASHED, 0, 'exit status 0', 'stop')
  call expect(pp_submit(server, stop_task, 2), PP_ERR_CRASHED, 5, 'exit status 5', 'stop 5')
  call expect(pp_submit(server, stop_task, 3), PP_ERR_CRASHED, 7, 'exit status 7', 'error stop 7')
  call expect(pp_submit(server, stop_task, 4), PP_ERR_CRASHED, 1, 'exit status 1', 'error stop text')
  call expect(pp_submit(server, stop_task, 5), PP_ERR_CRASHED, 2, 'exit status 2', 'beyond the bounds')
  call expect(pp_submit(server, stop_task, 6), PP_ERR_CRASHED, 2, 'exit status 2', 'input at its end')
  call expect(pp_submit(server, stop_task, 7), PP_ERR_CRASHED, 1, 'exit status 1', 'a failed call in a task')
  call pp_fetch(pp_submit(server, stop_task, 0), n)
  call claim(n == 0, 'the farm goes on')

  host = 5
  f = pp_submit(server, inner_task, ierr=ierr)
  call claim_status(ierr, PP_ERR_FUNCTION, 'an internal procedure that uses its host')
  call claim(f == PP_NULL_FUTURE, 'is not submitted')
  host = host + 1

  call pp_server_close(server)
  call pp_fetch(f, n, ierr=ierr)
  call claim_status(ierr, PP_ERR_HANDLE, 'after close')
  call conclude(70)

contains
  subroutine size_error(future, message, what)
    type(pp_future), intent(in) :: future
    character(len=*), intent(in) :: message, what
    call pp_wait(future)
    call pp_info(future, info)
    call claim_status(info%status, PP_ERR_SIZE, what // ': status')
    call pp_fetch(future, n, ierr=ierr)
    call claim_status(ierr, PP_ERR_SIZE, what // ': fetched')
    call claim(index(info%message, message) > 0, what // ': message: ' // trim(info%message))
    call pp_release(future)
  end subroutine

  subroutine inner_task(task) bind(C)
    type(pp_task), intent(inout) :: task
    call pp_task_return(task, host)
  end subroutine
end program
