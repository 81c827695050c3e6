! ranks: 2
! Waiting, asking, cancelling, callbacks, groups, templates and pp_map.
module futures
  use check
  implicit none
  integer, save :: called = 0, last_arg = 0
  type(pp_future), save :: last_future
contains
  subroutine double_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer :: n
    call pp_task_args(task, n)
    call pp_task_return(task, 2 * n)
  end subroutine

  ! Sleeps so many milliseconds and returns them; fails when they are negative.
  subroutine sleep_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer :: ms
    integer(int64) :: now, until, rate
    call pp_task_args(task, ms)
    if (ms < 0) call pp_task_fail(task, 40 - ms, 'told to fail')
    call system_clock(now, rate)
    until = now + abs(ms) * rate / 1000
    do while (now < until)
      call system_clock(now)
    end do
    call pp_task_return(task, ms)
  end subroutine

  ! Column of an array: its sum and its largest; a column that begins with -1 fails.
  subroutine column_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    real(real64) :: x(4)
    call pp_task_args(task, x)
    if (x(1) < 0) call pp_task_fail(task, nint(-x(1)), 'a bad column  ')
    call pp_task_return(task, [sum(x), maxval(x)])
  end subroutine

  subroutine who_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    type(pp_task), pointer :: current
    integer(int64) :: long_id
    integer :: id, attempt, worker, again
    call pp_task_id(task, id)
    call pp_task_id(task, long_id)
    call pp_task_attempt(task, attempt)
    call pp_task_worker(task, worker)
    call pp_task_current(current)
    call pp_task_id(current, again)
    call pp_task_return(task, [id, attempt, worker, int(long_id) - id, again - id])
  end subroutine

  subroutine note(f, arg) bind(C, name='')
    type(pp_future), value :: f
    type(c_ptr), value :: arg
    integer, pointer :: n
    called = called + 1
    last_future = f
    last_arg = 0
    if (.not. c_associated(arg)) return
    call c_f_pointer(arg, n)
    last_arg = n
  end subroutine

  subroutine wait_claims(server)
    type(pp_server), intent(in) :: server
    type(pp_future) :: f(4), none(3)
    integer(c_int) :: ierr, i
    integer :: ms
    f(1) = pp_submit(server, sleep_task, 300)
    call claim(.not. pp_done(f(1)), 'a task that sleeps is not done')
    call pp_wait_for(f(1), 0.01_c_double, ierr=ierr)
    call claim_status(ierr, PP_TIMEOUT, 'pp_wait_for, too short')
    call pp_wait_for(f(1), 0.01_c_double) ! a positive status stops nothing
    call pp_wait(f(1))
    call claim(pp_done(f(1)), 'done after pp_wait')
    call pp_fetch(f(1), ms)
    call claim(ms == 300, 'fetched after waiting')
    call claim(.not. pp_done(f(1), ierr=ierr), 'a stale future is not done')
    call claim_status(ierr, PP_ERR_HANDLE, 'pp_done of a stale future')
    f(2) = pp_submit(server, sleep_task, 30000)
    f(4) = pp_submit(server, double_task, 4)
    f(1) = PP_NULL_FUTURE
    f(3) = PP_NULL_FUTURE
    i = -1
    call pp_wait_any(f, 10.0_c_double, i)
    call claim(i == 4, 'pp_wait_any counts from 1')
    call pp_wait_any(f(4:2:-1), 10.0_c_double, i)
    call claim(i == 1, 'pp_wait_any in a reversed section')
    call pp_wait_all(f, 0.0_c_double, ierr=ierr)
    call claim_status(ierr, PP_TIMEOUT, 'pp_wait_all at once')
    f(3) = pp_submit(server, sleep_task, -2)
    call pp_wait_failed(f, -1.0_c_double, i, ierr=ierr)
    call claim_status(ierr, PP_OK, 'pp_wait_failed')
    call claim(i == 3, 'pp_wait_failed gives the index')
    call pp_cancel(f(2))
    call pp_wait_all(f, -1.0_c_double)
    call claim(pp_done(f(2)), 'pp_wait_all, the first')
    call claim(pp_done(f(4)), 'pp_wait_all, the last')
    call pp_release(f(2))
    call pp_release(f(3))
    call pp_release(f(3), ierr=ierr)
    call claim_status(ierr, PP_ERR_HANDLE, 'released twice')
    f(2:3) = PP_NULL_FUTURE
    i = -7
    call pp_wait_failed(f, -1.0_c_double, i, ierr=ierr)
    call claim_status(ierr, PP_END, 'none has failed')
    call claim(i == -7, 'an index that is not set stays')
    call pp_wait_any(none, -1.0_c_double, ierr=ierr)
    call claim_status(ierr, PP_END, 'only null futures')
    call pp_wait_all(none(1:0), -1.0_c_double)
    call pp_fetch(f(4), i)
    call claim(i == 8, 'the last one')
  end subroutine

  subroutine option_claims(server)
    type(pp_server), intent(in) :: server
    type(pp_submit_options) :: options
    type(pp_template) :: template
    type(pp_task_info) :: info
    type(pp_future) :: f, g, next
    integer, target :: number
    integer :: n, who(5)
    integer(c_int) :: ierr
    number = 77
    options%name = 'a name  '
    options%group = 'mine'
    options%priority = 3
    options%retries = 1
    options%timeout = 20
    options%callback => note
    options%callback_arg = c_loc(number)
    called = 0
    f = pp_submit_with(server, options, who_task)
    call pp_wait_group(server, 'mine', -1.0_c_double)
    call claim(called == 1 .and. last_arg == 77 .and. last_future == f, 'callback of the options')
    call pp_info(f, info)
    call claim(info%name == 'a name' .and. info%state == PP_FINISHED .and. info%status == PP_OK, 'name, state, status')
    call claim(info%attempts == 1 .and. info%pid > 0 .and. info%rank >= 0 .and. info%result_bytes == 20, &
               'attempts … result_bytes')
    call claim(info%host /= '' .and. info%message == '' .and. info%code == 0 .and. info%signal == 0, 'host … signal')
    call claim(info%submitted <= info%started .and. info%started <= info%finished, 'times')
    call pp_fetch(f, who)
    call claim(all(who == [int(info%task), 1, info%worker, 0, 0]), 'pp_task_id, _attempt, _worker, _current')

    f = pp_submit_with(server, pp_submit_options(name='constructed'), double_task, 4)
    call pp_info(f, info)
    call claim(info%name == 'constructed', 'options from a constructor')
    call pp_fetch(f, n)
    f = pp_submit_with(server, 5, double_task, 4, ierr=ierr)
    call claim_status(ierr, PP_ERR_ARG, 'options of another type')
    call claim(index(pp_last_error(), 'pp_submit_options') > 0, 'the text says so: ' // pp_last_error())
    options = pp_submit_options(timeout=-5.0_c_double)
    f = pp_submit_with(server, options, double_task, 4, ierr=ierr)
    call claim_status(ierr, PP_ERR_ARG, 'a negative time-out')
    call claim(index(pp_last_error(), '-5') > 0, 'the later error counts: ' // pp_last_error())

    template%function => double_task
    template%options%group = 'of the template'
    template%options%name = 'template'
    f = pp_template_submit(server, template, 5)
    g = pp_template_submit(server, template, 6)
    call pp_next(server, 'of the template', -1.0_c_double, next)
    call claim(next == f .or. next == g, 'pp_next gives one of the group')
    call pp_next(server, 'of the template', -1.0_c_double, next)
    call pp_next(server, 'of the template', -1.0_c_double, next, ierr=ierr)
    call claim_status(ierr, PP_END, 'pp_next at the end')
    call pp_fetch(f, n)
    call claim(n == 10, 'template, first')
    call pp_fetch(g, n)
    call claim(n == 12, 'template, second')
    f = pp_template_submit(server, pp_template(double_task, pp_submit_options(name='of two')), 7)
    call pp_info(f, info)
    call claim(info%name == 'of two', 'a template from its constructor')
    call pp_fetch(f, n)
    call claim(n == 14, 'and its function')
    f = pp_template_submit(server, pp_template(double_task), 8)
    call pp_fetch(f, n)
    call claim(n == 16, 'a template without options')
    f = pp_template_submit(server, pp_template(function=double_task), 9)
    call pp_fetch(f, n)
    call claim(n == 18, 'a template from keywords')
    f = pp_template_submit(server, pp_template(), 1, ierr=ierr)
    call claim_status(ierr, PP_ERR_ARG, 'a template without a function')
    f = pp_template_submit(server, options, 1, ierr=ierr)
    call claim_status(ierr, PP_ERR_ARG, 'a template of another type')

    f = pp_submit(server, double_task, 1)
    call pp_wait(f)
    called = 0
    call pp_add_callback(f, note)
    call pp_wait_group(server, seconds=-1.0_c_double)
    call claim(called == 1 .and. last_arg == 0, 'callback of a finished task')
    call pp_add_callback(f, note, c_loc(number))
    call pp_wait_group(server, '', 10.0_c_double)
    call claim(called == 2 .and. last_arg == 77, 'a further callback')
    call pp_release(f)
    call pp_wait_group(server, 'nobody', -1.0_c_double)

    f = pp_submit(server, sleep_task, 30000)
    call pp_cancel(f)
    call pp_wait(f)
    call pp_info(f, info)
    call claim_status(info%status, PP_ERR_CANCELLED, 'cancelled')
    call pp_cancel(f, ierr=ierr)
    call claim_status(ierr, PP_END, 'cancelled twice')
    call pp_fetch(f, n, ierr=ierr)
    call claim_status(ierr, PP_ERR_CANCELLED, 'fetching a cancelled task')
    call pp_release(f)

    options = pp_submit_options(timeout=0.2_c_double)
    f = pp_submit_with(server, options, sleep_task, 30000)
    call pp_fetch(f, n, ierr=ierr)
    call claim_status(ierr, PP_ERR_TIMEOUT, 'past its time-out')
    call pp_release(f)
  end subroutine

  subroutine map_claims(server)
    type(pp_server), intent(in) :: server
    real(real64) :: items(4, 6), results(2, 6), wide(5, 12)
    integer :: single(100), doubled(100), i
    integer(c_int) :: ierr
    items = reshape([(real(i, real64), i = 1, 24)], [4, 6])
    call pp_map(server, column_task, items, results)
    call claim(nint(results(1, 6)) == 21 + 22 + 23 + 24 .and. nint(results(2, 3)) == 12, 'pp_map of columns')
    single = [(i, i = 1, 100)]
    call pp_map(server, double_task, single, doubled)
    call claim(all(doubled == 2 * single), 'pp_map of scalars')
    call pp_map(server, double_task, single(100:1:-2), doubled(1:50))
    call claim(all(doubled(1:50) == 2 * single(100:1:-2)), 'pp_map of a section')
    wide = -99
    items(1, 4) = -3
    items(1, 5) = -5
    call pp_map(server, column_task, items, wide(2:5:3, ::2), ierr=ierr)
    call claim_status(ierr, PP_ERR_TASK, 'pp_map with failures')
    call claim(index(pp_last_error(), 'a bad column') > 0, 'says why: ' // pp_last_error())
    call claim(nint(wide(2, 1)) == 10 .and. nint(wide(5, 11)) == 24, 'the others are delivered')
    call claim(nint(wide(2, 7)) == -99 .and. nint(wide(5, 9)) == -99, 'the slots of those that failed are untouched')
    call claim(count(nint(wide) == -99) == 60 - 8, 'and everything beside')
    call pp_map(server, double_task, single, doubled(1:99), ierr=ierr)
    call claim_status(ierr, PP_ERR_SIZE, 'as many results as items')
    call pp_map(server, double_task, 5, doubled, ierr=ierr)
    call claim_status(ierr, PP_ERR_ARG, 'items must be an array')
    call pp_map(server, double_task, single(1:0), doubled(1:0))
  end subroutine

  subroutine farm_claims(server)
    type(pp_server), intent(in) :: server
    type(pp_node) :: nodes(3)
    type(pp_stats) :: stats
    type(c_ptr) :: data
    type(pp_future) :: f
    integer(c_size_t) :: bytes
    integer(c_int) :: count, ierr
    integer, pointer :: n
    character(len=:), allocatable :: text
    count = -1
    call pp_get_active_nodes(server, nodes, count)
    call claim(count == 1 .and. nodes(1)%host /= '', 'one node')
    call claim(nodes(1)%workers == pp_get_ncpus(server), 'all workers')
    call claim(nodes(1)%first_rank == 0 .and. nodes(1)%ranks >= 1 .and. nodes(2)%host == '', 'its ranks; nothing else')
    call pp_get_active_nodes(server, nodes(1:0), count)
    call claim(count == 1, 'no room for nodes')
    f = pp_submit(server, double_task, 21)
    call pp_result(f, data, bytes)
    call c_f_pointer(data, n)
    call claim(bytes == 4 .and. n == 42, 'pp_result')
    call claim(pp_result_size(f) == 4, 'pp_result_size')
    call pp_release(f)
    call pp_get_stats(server, stats)
    call claim(stats%done > 0 .and. stats%failed > 0 .and. stats%cancelled == 2 .and. stats%queued == 0, 'pp_get_stats')
    call claim(stats%submitted == stats%done + stats%failed + stats%cancelled .and. stats%bytes_in > 0, 'they add up')
    call claim(stats%wall_time > 0 .and. stats%busy > 0, 'times of the farm')
    call pp_version(text)
    call claim(scan(text, '.') > 1, 'pp_version: ' // text)
    call claim(pp_strerror(PP_ERR_SIZE) == 'size differs from what is there', 'pp_strerror')
    call pp_set_ncpus(server, pp_get_ncpus(server) + 1, ierr=ierr)
    call claim_status(ierr, PP_OK, 'pp_set_ncpus')
    call pp_set_ncpus(server, -1, ierr=ierr)
    call claim_status(ierr, PP_ERR_ARG, 'pp_set_ncpus, negative')
  end subroutine
end module

program test_futures
  use futures
  implicit none
  type(pp_server) :: server
  integer(c_int) :: ierr, code
  server = pp_server_open(options=pp_options(workers=2, heartbeat=20.0_c_double))
  call wait_claims(server)
  call option_claims(server)
  call map_claims(server)
  call farm_claims(server)
  call pp_server_close(server)
  call pp_server_close(server, ierr=ierr)
  call claim_status(ierr, PP_ERR_ARG, 'closed twice')
  call pp_last_error_code(code)
  call claim_status(code, PP_ERR_ARG, 'pp_last_error_code')
  call conclude(60)
end program
