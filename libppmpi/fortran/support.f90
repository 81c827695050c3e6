! What the other submodules share: C's side of the types, texts in both directions, and the end of a call.
submodule (ppmpi) ppmpi_support
  use, intrinsic :: iso_c_binding
  implicit none

  ! C's structs, member for member; <ppmpi.h> compares the sizes of the first four when it is handed one.
  type, bind(C) :: raw_options
    integer(c_size_t) :: size
    integer(c_int) :: workers, cores_per_worker
    type(c_ptr) :: hosts
    real(c_double) :: timeout
    integer(c_int) :: retries, restart, isolation, mpi
    type(c_funptr) :: initializer
    type(c_ptr) :: initializer_args
    integer(c_size_t) :: initializer_bytes
    type(c_ptr) :: modules
    integer(c_size_t) :: queue_limit
    real(c_double) :: heartbeat
    integer(c_int) :: stats, progress, signal_stats, log_level
  end type

  type, bind(C) :: raw_submit_options
    integer(c_size_t) :: size
    type(c_ptr) :: group, name
    integer(c_int) :: priority, retries
    real(c_double) :: timeout
    type(c_funptr) :: callback
    type(c_ptr) :: callback_arg
  end type

  type, bind(C) :: raw_stats
    integer(c_size_t) :: size
    integer(c_int64_t) :: submitted, done, failed, cancelled, retried, running, queued
    real(c_double) :: task_time, wall_time, busy
    integer(c_int64_t) :: bytes_in, bytes_out
  end type

  type, bind(C) :: raw_task_info
    integer(c_size_t) :: size
    integer(c_int) :: state, status, code, signal, rank, worker, attempts
    integer(c_long) :: pid
    real(c_double) :: submitted, started, finished
    integer(c_int64_t) :: task
    integer(c_size_t) :: result_bytes
    character(kind=c_char) :: host(256), name(64), message(512)
  end type

  type, bind(C) :: raw_node
    character(kind=c_char) :: host(256)
    integer(c_int) :: first_rank, ranks, cores, workers
  end type

  interface
    ! Hands status to ierr; without ierr an error ends the program. call: the procedure's name, with a null at its end.
    subroutine finish(status, call, ierr) bind(C, name='pp_fortran_finish')
      import :: c_int, c_char
      integer(c_int), value :: status
      character(kind=c_char), intent(in) :: call(*)
      integer(c_int), intent(out), optional :: ierr
    end subroutine

    integer(c_size_t) pure function c_strlen(text) bind(C, name='strlen')
      import :: c_ptr, c_size_t
      type(c_ptr), intent(in), value :: text
    end function

    type(c_ptr) function c_last_error() bind(C, name='pp_last_error')
      import :: c_ptr
    end function

    integer(c_int) function c_last_error_code() bind(C, name='pp_last_error_code')
      import :: c_int
    end function
  end interface

contains

  ! text as C has it, or without any address when it is blank or absent. keep holds it.
  function c_text(text, keep) result(address)
    character(len=:), allocatable, intent(in) :: text
    character(len=:, kind=c_char), allocatable, target, intent(inout) :: keep
    type(c_ptr) :: address
    address = c_null_ptr
    if (.not. allocated(text)) return
    if (len_trim(text) == 0) return
    keep = trim(text) // c_null_char
    address = c_loc(keep)
  end function

  ! The text at an address of C's.
  function fortran_text(address) result(text)
    type(c_ptr), intent(in) :: address
    character(len=:), allocatable :: text
    character(kind=c_char), pointer :: from(:)
    integer :: i
    call c_f_pointer(address, from, [c_strlen(address)])
    allocate(character(len=size(from)) :: text)
    do i = 1, size(from)
      text(i:i) = from(i)
    end do
  end function

  ! The text in an array of C's, as far as there is room.
  subroutine copy_text(from, to)
    character(kind=c_char), intent(in) :: from(:)
    character(len=*), intent(out) :: to
    integer :: i
    to = ''
    do i = 1, min(size(from), len(to))
      if (from(i) == c_null_char) exit
      to(i:i) = from(i)
    end do
  end subroutine

  ! Called by the shim: ends the program as every failed call without ierr does.
  subroutine stop_with(text, n) bind(C, name='pp_fortran_stop')
    integer(c_int), value :: n
    character(kind=c_char), intent(in) :: text(n)
    character(len=n) :: message
    integer :: i
    do i = 1, n
      message(i:i) = text(i)
    end do
    error stop message
  end subroutine

  ! Called by the shim: a type(pp_submit_options), or with a template a type(pp_template), as C has it. 0 when the object
  ! is not of that type. The texts are not terminated: their lengths stand beside.
  function read_options(object, is_template, function, raw, group_length, name_length) &
      bind(C, name='pp_fortran_read_options') result(known)
    type(c_ptr), value :: object
    integer(c_int), value :: is_template
    type(c_funptr), intent(out) :: function
    type(raw_submit_options), intent(out) :: raw
    integer(c_size_t), intent(out) :: group_length, name_length
    integer(c_int) :: known
    type(pp_template), pointer :: t
    type(pp_submit_options), pointer :: o
    known = 0
    function = c_null_funptr
    if (is_template /= 0) then
      call c_f_pointer(object, t)
      if (t%mark /= template_mark) return
      if (associated(t%function)) function = c_funloc(t%function)
      o => t%options
    else
      call c_f_pointer(object, o)
    end if
    if (o%mark /= submit_mark) return
    raw%size = c_sizeof(raw)
    call lend_text(o%group, raw%group, group_length)
    call lend_text(o%name, raw%name, name_length)
    raw%priority = o%priority
    raw%retries = o%retries
    raw%timeout = o%timeout
    raw%callback = c_null_funptr
    if (associated(o%callback)) raw%callback = c_funloc(o%callback)
    raw%callback_arg = o%callback_arg
    known = 1
  end function

  subroutine lend_text(text, address, length)
    character(len=:), allocatable, target, intent(in) :: text
    type(c_ptr), intent(out) :: address
    integer(c_size_t), intent(out) :: length
    address = c_null_ptr
    length = 0
    if (.not. allocated(text)) return
    length = len_trim(text, c_size_t)
    if (length > 0) address = c_loc(text)
  end subroutine
end submodule
