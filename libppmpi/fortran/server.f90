! The server's calls of module ppmpi, and those about the whole farm.
submodule (ppmpi:ppmpi_support) ppmpi_server
  implicit none

  interface
    type(c_ptr) function c_server_open(argc, argv, options) bind(C, name='pp_server_open')
      import :: c_ptr, raw_options
      type(c_ptr), value :: argc, argv
      type(raw_options), intent(in) :: options
    end function
    type(c_ptr) function c_server_open_comm(comm, options) bind(C, name='pp_server_open_comm_f')
      import :: c_ptr, c_int, raw_options
      integer(c_int), value :: comm
      type(raw_options), intent(in) :: options
    end function
    subroutine c_prepare() bind(C, name='pp_prepare')
    end subroutine
    integer(c_int) function c_server_close(server) bind(C, name='pp_server_close')
      import :: c_ptr, c_int
      type(c_ptr), value :: server
    end function
    integer(c_int) function c_get_ncpus(server) bind(C, name='pp_get_ncpus')
      import :: c_ptr, c_int
      type(c_ptr), value :: server
    end function
    integer(c_int) function c_set_ncpus(server, n) bind(C, name='pp_set_ncpus')
      import :: c_ptr, c_int
      type(c_ptr), value :: server
      integer(c_int), value :: n
    end function
    integer(c_int) function c_get_active_nodes(server, nodes, max) bind(C, name='pp_get_active_nodes')
      import :: c_ptr, c_int, raw_node
      type(c_ptr), value :: server
      type(raw_node), intent(inout) :: nodes(*)
      integer(c_int), value :: max
    end function
    integer(c_int) function c_get_stats(server, stats) bind(C, name='pp_get_stats')
      import :: c_ptr, c_int, raw_stats
      type(c_ptr), value :: server
      type(raw_stats), intent(inout) :: stats
    end function
    integer(c_int) function print_stats(server) bind(C, name='pp_fortran_print_stats')
      import :: c_ptr, c_int
      type(c_ptr), value :: server
    end function
    integer(c_int) function c_wait_group(server, group, seconds) bind(C, name='pp_wait_group')
      import :: c_ptr, c_int, c_double
      type(c_ptr), value :: server, group
      real(c_double), value :: seconds
    end function
    integer(c_int) function c_next(server, group, seconds, f) bind(C, name='pp_next')
      import :: c_ptr, c_int, c_double, pp_future
      type(c_ptr), value :: server, group
      real(c_double), value :: seconds
      type(pp_future), intent(inout) :: f
    end function
    type(c_ptr) function c_version() bind(C, name='pp_version')
      import :: c_ptr
    end function
    type(c_ptr) function c_strerror(status) bind(C, name='pp_strerror')
      import :: c_ptr, c_int
      integer(c_int), value :: status
    end function
  end interface

contains

  ! The options as C has them. hosts and modules hold the texts that it points to.
  function to_raw(options, hosts, modules) result(raw)
    type(pp_options), intent(in), optional :: options
    character(len=:, kind=c_char), allocatable, target, intent(inout) :: hosts, modules
    type(raw_options) :: raw
    type(pp_options) :: o
    if (present(options)) o = options
    raw%size = c_sizeof(raw)
    raw%workers = o%workers
    raw%cores_per_worker = o%cores_per_worker
    raw%hosts = c_text(o%hosts, hosts)
    raw%timeout = o%timeout
    raw%retries = o%retries
    raw%restart = o%restart
    raw%isolation = o%isolation
    raw%mpi = o%mpi
    raw%initializer = c_null_funptr
    if (associated(o%initializer)) raw%initializer = c_funloc(o%initializer)
    raw%initializer_args = o%initializer_args
    raw%initializer_bytes = o%initializer_bytes
    raw%modules = c_text(o%modules, modules)
    raw%queue_limit = o%queue_limit
    raw%heartbeat = o%heartbeat
    raw%stats = o%stats
    raw%progress = o%progress
    raw%signal_stats = o%signal_stats
    raw%log_level = o%log_level
  end function

  module function pp_server_open(options, ierr) result(server)
    type(pp_options), intent(in), optional :: options
    integer(c_int), intent(out), optional :: ierr
    type(pp_server) :: server
    character(len=:, kind=c_char), allocatable, target :: hosts, modules
    integer(c_int) :: status
    server%address = c_server_open(c_null_ptr, c_null_ptr, to_raw(options, hosts, modules))
    status = PP_OK
    if (.not. c_associated(server%address)) status = c_last_error_code()
    call finish(status, c_char_'pp_server_open' // c_null_char, ierr)
  end function

  module subroutine pp_prepare()
    call c_prepare()
  end subroutine

  module function pp_server_open_comm(comm, options, ierr) result(server)
    integer, intent(in) :: comm
    type(pp_options), intent(in), optional :: options
    integer(c_int), intent(out), optional :: ierr
    type(pp_server) :: server
    character(len=:, kind=c_char), allocatable, target :: hosts, modules
    integer(c_int) :: status
    server%address = c_server_open_comm(comm, to_raw(options, hosts, modules))
    status = PP_OK
    if (.not. c_associated(server%address)) status = c_last_error_code()
    call finish(status, c_char_'pp_server_open_comm' // c_null_char, ierr)
  end function

  pure module function pp_server_is_open(server) result(open)
    type(pp_server), intent(in) :: server
    logical :: open
    open = c_associated(server%address)
  end function

  module subroutine pp_server_close(server, ierr)
    type(pp_server), intent(inout) :: server
    integer(c_int), intent(out), optional :: ierr
    integer(c_int) :: status
    status = c_server_close(server%address)
    if (status == PP_OK) server%address = c_null_ptr
    call finish(status, c_char_'pp_server_close' // c_null_char, ierr)
  end subroutine

  module function pp_get_ncpus(server, ierr) result(n)
    type(pp_server), intent(in) :: server
    integer(c_int), intent(out), optional :: ierr
    integer(c_int) :: n
    n = c_get_ncpus(server%address)
    call finish(min(n, PP_OK), c_char_'pp_get_ncpus' // c_null_char, ierr)
  end function

  module subroutine pp_set_ncpus(server, n, ierr)
    type(pp_server), intent(in) :: server
    integer(c_int), intent(in) :: n
    integer(c_int), intent(out), optional :: ierr
    call finish(c_set_ncpus(server%address, n), c_char_'pp_set_ncpus' // c_null_char, ierr)
  end subroutine

  module subroutine pp_get_active_nodes(server, nodes, count, ierr)
    type(pp_server), intent(in) :: server
    type(pp_node), intent(inout) :: nodes(:)
    integer(c_int), intent(inout) :: count
    integer(c_int), intent(out), optional :: ierr
    type(raw_node), allocatable :: raw(:)
    integer(c_int) :: found
    integer :: i
    allocate(raw(size(nodes)))
    found = c_get_active_nodes(server%address, raw, size(nodes, kind=c_int))
    if (found >= 0) then
      count = found
      do i = 1, min(found, size(nodes))
        call copy_text(raw(i)%host, nodes(i)%host)
        nodes(i)%first_rank = raw(i)%first_rank
        nodes(i)%ranks = raw(i)%ranks
        nodes(i)%cores = raw(i)%cores
        nodes(i)%workers = raw(i)%workers
      end do
    end if
    call finish(min(found, PP_OK), c_char_'pp_get_active_nodes' // c_null_char, ierr)
  end subroutine

  module subroutine pp_get_stats(server, stats, ierr)
    type(pp_server), intent(in) :: server
    type(pp_stats), intent(inout) :: stats
    integer(c_int), intent(out), optional :: ierr
    type(raw_stats) :: raw
    integer(c_int) :: status
    raw%size = c_sizeof(raw)
    status = c_get_stats(server%address, raw)
    if (status == PP_OK) &
      stats = pp_stats(raw%submitted, raw%done, raw%failed, raw%cancelled, raw%retried, raw%running, raw%queued, &
                       raw%task_time, raw%wall_time, raw%busy, raw%bytes_in, raw%bytes_out)
    call finish(status, c_char_'pp_get_stats' // c_null_char, ierr)
  end subroutine

  module subroutine pp_print_stats(server, ierr)
    type(pp_server), intent(in) :: server
    integer(c_int), intent(out), optional :: ierr
    call finish(print_stats(server%address), c_char_'pp_print_stats' // c_null_char, ierr)
  end subroutine

  module subroutine pp_wait_group(server, group, seconds, ierr)
    type(pp_server), intent(in) :: server
    character(len=*), intent(in), optional :: group
    real(c_double), intent(in) :: seconds
    integer(c_int), intent(out), optional :: ierr
    character(len=:), allocatable :: text
    character(len=:, kind=c_char), allocatable, target :: keep
    if (present(group)) text = group
    call finish(c_wait_group(server%address, c_text(text, keep), seconds), c_char_'pp_wait_group' // c_null_char, ierr)
  end subroutine

  module subroutine pp_next(server, group, seconds, f, ierr)
    type(pp_server), intent(in) :: server
    character(len=*), intent(in), optional :: group
    real(c_double), intent(in) :: seconds
    type(pp_future), intent(inout) :: f
    integer(c_int), intent(out), optional :: ierr
    character(len=:), allocatable :: text
    character(len=:, kind=c_char), allocatable, target :: keep
    if (present(group)) text = group
    call finish(c_next(server%address, c_text(text, keep), seconds, f), c_char_'pp_next' // c_null_char, ierr)
  end subroutine

  module function pp_strerror(status) result(text)
    integer(c_int), intent(in) :: status
    character(len=:), allocatable :: text
    text = fortran_text(c_strerror(status))
  end function

  module function pp_last_error() result(text)
    character(len=:), allocatable :: text
    text = fortran_text(c_last_error())
  end function

  module subroutine pp_last_error_code(status)
    integer(c_int), intent(out) :: status
    status = c_last_error_code()
  end subroutine

  module subroutine pp_version(text)
    character(len=:), allocatable, intent(out) :: text
    text = fortran_text(c_version())
  end subroutine

  ! Called by the shim: flushes the unit of newunit= that is connected to the file; 1 when there is one.
  function flush_file(path, n) bind(C, name='pp_fortran_flush_file') result(count)
    integer(c_int), value :: n
    character(kind=c_char), intent(in) :: path(n)
    integer(c_int) :: count
    character(len=n) :: name
    logical :: is_open
    integer :: unit, i
    do i = 1, n
      name(i:i) = path(i)
    end do
    inquire(file=name, opened=is_open, number=unit)
    count = 0
    if (.not. is_open .or. unit >= -1) return
    flush(unit)
    count = 1
  end function
end submodule
