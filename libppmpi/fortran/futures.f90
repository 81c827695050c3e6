! The calls of module ppmpi on futures that carry no data, and those of tasks.
submodule (ppmpi:ppmpi_support) ppmpi_futures
  implicit none

  interface
    integer(c_int) function c_result(f, data, bytes) bind(C, name='pp_result')
      import :: pp_future, c_ptr, c_int, c_size_t
      type(pp_future), value :: f
      type(c_ptr), intent(inout) :: data
      integer(c_size_t), intent(inout) :: bytes
    end function
    integer(c_int) function c_release(f) bind(C, name='pp_release')
      import :: pp_future, c_int
      type(pp_future), value :: f
    end function
    integer(c_int) function c_wait_for(f, seconds) bind(C, name='pp_wait_for')
      import :: pp_future, c_int, c_double
      type(pp_future), value :: f
      real(c_double), value :: seconds
    end function
    integer(c_int) function c_done(f) bind(C, name='pp_done')
      import :: pp_future, c_int
      type(pp_future), value :: f
    end function
    integer(c_int) function c_wait_all(f, n, seconds) bind(C, name='pp_wait_all')
      import :: pp_future, c_int, c_size_t, c_double
      type(pp_future), intent(in) :: f(*)
      integer(c_size_t), value :: n
      real(c_double), value :: seconds
    end function
    integer(c_int) function c_wait_any(f, n, seconds, index) bind(C, name='pp_wait_any')
      import :: pp_future, c_int, c_size_t, c_double
      type(pp_future), intent(in) :: f(*)
      integer(c_size_t), value :: n
      real(c_double), value :: seconds
      integer(c_size_t), intent(inout) :: index
    end function
    integer(c_int) function c_wait_failed(f, n, seconds, index) bind(C, name='pp_wait_failed')
      import :: pp_future, c_int, c_size_t, c_double
      type(pp_future), intent(in) :: f(*)
      integer(c_size_t), value :: n
      real(c_double), value :: seconds
      integer(c_size_t), intent(inout) :: index
    end function
    integer(c_int) function c_cancel(f) bind(C, name='pp_cancel')
      import :: pp_future, c_int
      type(pp_future), value :: f
    end function
    integer(c_int) function c_add_callback(f, callback, arg) bind(C, name='pp_add_callback')
      import :: pp_future, c_funptr, c_ptr, c_int
      type(pp_future), value :: f
      type(c_funptr), value :: callback
      type(c_ptr), value :: arg
    end function
    integer(c_int) function c_info(f, info) bind(C, name='pp_info')
      import :: pp_future, raw_task_info, c_int
      type(pp_future), value :: f
      type(raw_task_info), intent(inout) :: info
    end function

    subroutine task_fail(task, code, message, length) bind(C, name='pp_fortran_task_fail')
      import :: pp_task, c_int, c_size_t, c_char
      type(pp_task), intent(inout) :: task
      integer(c_int), value :: code
      character(kind=c_char), intent(in) :: message(*)
      integer(c_size_t), value :: length
    end subroutine
    integer(c_int64_t) function c_task_id(task) bind(C, name='pp_task_id')
      import :: pp_task, c_int64_t
      type(pp_task), intent(in) :: task
    end function
    integer(c_int) function c_task_attempt(task) bind(C, name='pp_task_attempt')
      import :: pp_task, c_int
      type(pp_task), intent(in) :: task
    end function
    integer(c_int) function c_task_worker(task) bind(C, name='pp_task_worker')
      import :: pp_task, c_int
      type(pp_task), intent(in) :: task
    end function
    type(c_ptr) function c_task_current() bind(C, name='pp_task_current')
      import :: c_ptr
    end function
    type(c_ptr) function c_task_result(task, bytes) bind(C, name='pp_task_result')
      import :: pp_task, c_ptr, c_size_t
      type(pp_task), intent(inout) :: task
      integer(c_size_t), value :: bytes
    end function
  end interface

contains

  ! ---- Futures -----------------------------------------------------------------------------------------------

  module subroutine pp_result(f, data, bytes, ierr)
    type(pp_future), intent(in) :: f
    type(c_ptr), intent(inout) :: data
    integer(c_size_t), intent(inout) :: bytes
    integer(c_int), intent(out), optional :: ierr
    call finish(c_result(f, data, bytes), c_char_'pp_result' // c_null_char, ierr)
  end subroutine

  module function pp_result_size(f, ierr) result(bytes)
    type(pp_future), intent(in) :: f
    integer(c_int), intent(out), optional :: ierr
    integer(c_size_t) :: bytes
    type(c_ptr) :: data
    bytes = 0
    data = c_null_ptr
    call finish(c_result(f, data, bytes), c_char_'pp_result_size' // c_null_char, ierr)
  end function

  module subroutine pp_release(f, ierr)
    type(pp_future), intent(in) :: f
    integer(c_int), intent(out), optional :: ierr
    call finish(c_release(f), c_char_'pp_release' // c_null_char, ierr)
  end subroutine

  module subroutine pp_wait(f, ierr)
    type(pp_future), intent(in) :: f
    integer(c_int), intent(out), optional :: ierr
    call finish(c_wait_for(f, -1.0_c_double), c_char_'pp_wait' // c_null_char, ierr)
  end subroutine

  module subroutine pp_wait_for(f, seconds, ierr)
    type(pp_future), intent(in) :: f
    real(c_double), intent(in) :: seconds
    integer(c_int), intent(out), optional :: ierr
    call finish(c_wait_for(f, seconds), c_char_'pp_wait_for' // c_null_char, ierr)
  end subroutine

  module function pp_done(f, ierr) result(done)
    type(pp_future), intent(in) :: f
    integer(c_int), intent(out), optional :: ierr
    logical :: done
    integer(c_int) :: answer
    answer = c_done(f)
    done = answer == 1
    call finish(min(answer, PP_OK), c_char_'pp_done' // c_null_char, ierr)
  end function

  module subroutine pp_wait_all(f, seconds, ierr)
    type(pp_future), intent(in) :: f(:)
    real(c_double), intent(in) :: seconds
    integer(c_int), intent(out), optional :: ierr
    call finish(c_wait_all(f, size(f, kind=c_size_t), seconds), c_char_'pp_wait_all' // c_null_char, ierr)
  end subroutine

  module subroutine pp_wait_any(f, seconds, index, ierr)
    type(pp_future), intent(in) :: f(:)
    real(c_double), intent(in) :: seconds
    integer(c_int), intent(inout), optional :: index
    integer(c_int), intent(out), optional :: ierr
    integer(c_size_t) :: from_0
    integer(c_int) :: status
    from_0 = huge(from_0)
    status = c_wait_any(f, size(f, kind=c_size_t), seconds, from_0)
    if (present(index) .and. from_0 /= huge(from_0)) index = int(from_0, c_int) + 1
    call finish(status, c_char_'pp_wait_any' // c_null_char, ierr)
  end subroutine

  module subroutine pp_wait_failed(f, seconds, index, ierr)
    type(pp_future), intent(in) :: f(:)
    real(c_double), intent(in) :: seconds
    integer(c_int), intent(inout), optional :: index
    integer(c_int), intent(out), optional :: ierr
    integer(c_size_t) :: from_0
    integer(c_int) :: status
    from_0 = huge(from_0)
    status = c_wait_failed(f, size(f, kind=c_size_t), seconds, from_0)
    if (present(index) .and. from_0 /= huge(from_0)) index = int(from_0, c_int) + 1
    call finish(status, c_char_'pp_wait_failed' // c_null_char, ierr)
  end subroutine

  module subroutine pp_cancel(f, ierr)
    type(pp_future), intent(in) :: f
    integer(c_int), intent(out), optional :: ierr
    call finish(c_cancel(f), c_char_'pp_cancel' // c_null_char, ierr)
  end subroutine

  module subroutine pp_add_callback(f, pp_call, arg, ierr)
    type(pp_future), intent(in) :: f
    procedure(pp_callback) :: pp_call
    type(c_ptr), intent(in), optional :: arg
    integer(c_int), intent(out), optional :: ierr
    type(c_ptr) :: argument
    argument = c_null_ptr
    if (present(arg)) argument = arg
    call finish(c_add_callback(f, c_funloc(pp_call), argument), c_char_'pp_add_callback' // c_null_char, ierr)
  end subroutine

  module subroutine pp_info(f, info, ierr)
    type(pp_future), intent(in) :: f
    type(pp_task_info), intent(inout) :: info
    integer(c_int), intent(out), optional :: ierr
    type(raw_task_info) :: raw
    integer(c_int) :: status
    raw%size = c_sizeof(raw)
    status = c_info(f, raw)
    if (status == PP_OK) then
      info%state = raw%state
      info%status = raw%status
      info%code = raw%code
      info%signal = raw%signal
      info%rank = raw%rank
      info%worker = raw%worker
      info%attempts = raw%attempts
      info%pid = raw%pid
      info%submitted = raw%submitted
      info%started = raw%started
      info%finished = raw%finished
      info%task = raw%task
      info%result_bytes = raw%result_bytes
      call copy_text(raw%host, info%host)
      call copy_text(raw%name, info%name)
      call copy_text(raw%message, info%message)
    end if
    call finish(status, c_char_'pp_info' // c_null_char, ierr)
  end subroutine

  ! ---- Inside a task -----------------------------------------------------------------------------------------

  module subroutine pp_task_fail(task, code, message)
    type(pp_task), intent(inout) :: task
    integer(c_int), intent(in) :: code
    character(len=*), intent(in) :: message
    call task_fail(task, code, message, len_trim(message, kind=c_size_t))
  end subroutine

  module subroutine task_id_int(task, id)
    type(pp_task), intent(in) :: task
    integer(c_int), intent(out) :: id
    id = int(c_task_id(task), c_int)
  end subroutine

  module subroutine task_id_int64(task, id)
    type(pp_task), intent(in) :: task
    integer(c_int64_t), intent(out) :: id
    id = c_task_id(task)
  end subroutine

  module subroutine pp_task_attempt(task, attempt)
    type(pp_task), intent(in) :: task
    integer(c_int), intent(out) :: attempt
    attempt = c_task_attempt(task)
  end subroutine

  module subroutine pp_task_worker(task, worker)
    type(pp_task), intent(in) :: task
    integer(c_int), intent(out) :: worker
    worker = c_task_worker(task)
  end subroutine

  module subroutine pp_task_current(task)
    type(pp_task), pointer, intent(out) :: task
    type(c_ptr) :: address
    address = c_task_current()
    task => null()
    if (c_associated(address)) call c_f_pointer(address, task)
  end subroutine

  module subroutine pp_task_result(task, bytes, data, ierr)
    type(pp_task), intent(inout) :: task
    integer(c_size_t), intent(in) :: bytes
    type(c_ptr), intent(inout) :: data
    integer(c_int), intent(out), optional :: ierr
    type(c_ptr) :: buffer
    buffer = c_task_result(task, bytes)
    if (c_associated(buffer)) data = buffer
    if (present(ierr)) ierr = merge(PP_OK, PP_ERR_NOMEM, c_associated(buffer)) ! without: the task has failed by itself
  end subroutine
end submodule
