! The module's constants and defaults are those of the C header, all of them and in its order.
program test_constants
  use check
  implicit none
  interface
    integer(c_int) function c_status(i, name) bind(C)
      import :: c_int, c_ptr
      integer(c_int), value :: i
      type(c_ptr), intent(out) :: name
    end function
    integer(c_int) function c_enum(i, name) bind(C)
      import :: c_int, c_ptr
      integer(c_int), value :: i
      type(c_ptr), intent(out) :: name
    end function
    type(c_ptr) function c_default(i, value) bind(C)
      import :: c_int, c_ptr, c_double
      integer(c_int), value :: i
      real(c_double), intent(out) :: value
    end function
  end interface
  integer(c_int), parameter :: statuses(20) = [ &
    PP_OK, PP_TIMEOUT, PP_END, PP_ERR_ARG, PP_ERR_HANDLE, PP_ERR_SIZE, PP_ERR_NOMEM, PP_ERR_LIMIT, PP_ERR_STATE, &
    PP_ERR_FUNCTION, PP_ERR_MODULE, PP_ERR_TASK, PP_ERR_CRASHED, PP_ERR_TIMEOUT, PP_ERR_CANCELLED, PP_ERR_LOST, PP_ERR_MPI, &
    PP_ERR_SYSTEM, PP_ERR_UNSUPPORTED, PP_ERR_INTERNAL]
  character(len=18), parameter :: names(20) = [character(len=18) :: &
    'PP_OK', 'PP_TIMEOUT', 'PP_END', 'PP_ERR_ARG', 'PP_ERR_HANDLE', 'PP_ERR_SIZE', 'PP_ERR_NOMEM', 'PP_ERR_LIMIT', &
    'PP_ERR_STATE', 'PP_ERR_FUNCTION', 'PP_ERR_MODULE', 'PP_ERR_TASK', 'PP_ERR_CRASHED', 'PP_ERR_TIMEOUT', &
    'PP_ERR_CANCELLED', 'PP_ERR_LOST', 'PP_ERR_MPI', 'PP_ERR_SYSTEM', 'PP_ERR_UNSUPPORTED', 'PP_ERR_INTERNAL']
  integer(c_int), parameter :: enums(13) = [ &
    PP_AUTODETECT, PP_INHERIT, PP_ISOLATE_PROCESS, PP_ISOLATE_NONE, PP_MPI_AUTO, PP_MPI_ALWAYS, PP_LOG_ERROR, &
    PP_LOG_WARNING, PP_LOG_INFO, PP_LOG_DEBUG, PP_QUEUED, PP_RUNNING, PP_FINISHED]
  type(c_ptr) :: name
  integer(c_int) :: i, value
  real(c_double) :: number
  type(pp_server) :: server
  type(pp_options) :: o
  type(pp_submit_options) :: s
  real(c_double) :: defaults(17)

  do i = 1, size(statuses)
    value = c_status(i - 1, name)
    call claim(text_of(name) == names(i) .and. value == statuses(i), 'constant ' // names(i))
  end do
  value = c_status(size(statuses), name)
  call claim(.not. c_associated(name), 'the module has every status of the header')
  do i = 1, size(enums)
    value = c_enum(i - 1, name)
    call claim(value == enums(i), 'constant ' // text_of(name))
  end do
  value = c_enum(size(enums), name)
  call claim(.not. c_associated(name), 'every constant was compared')

  defaults = [real(c_double) :: o%workers, o%cores_per_worker, o%timeout, o%retries, o%restart, o%isolation, o%mpi, &
              o%queue_limit, o%heartbeat, o%stats, o%progress, o%signal_stats, o%log_level, s%priority, s%retries, &
              s%timeout, o%initializer_bytes]
  do i = 1, size(defaults)
    name = c_default(i - 1, number)
    call claim(abs(number - defaults(i)) < 1e-9_c_double, 'default of ' // text_of(name))
  end do
  name = c_default(size(defaults), number)
  call claim(.not. c_associated(name), 'every default was compared')
  call claim(.not. (allocated(o%hosts) .or. allocated(o%modules) .or. allocated(s%group) .or. allocated(s%name)), 'no texts')
  call claim(.not. (associated(o%initializer) .or. associated(s%callback)), 'no procedures')
  server = pp_server_open(pp_options(workers=-3), ierr=value)
  call claim_status(value, PP_ERR_ARG, 'options that C refuses')
  call conclude(50)

contains
  function text_of(address) result(text)
    type(c_ptr), intent(in) :: address
    character(len=:), allocatable :: text
    character(kind=c_char), pointer :: from(:)
    integer :: n
    text = ''
    if (.not. c_associated(address)) return
    call c_f_pointer(address, from, [64])
    do n = 1, 64
      if (from(n) == c_null_char) exit
      text = text // from(n)
    end do
  end function
end program
