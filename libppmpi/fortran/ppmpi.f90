! Module ppmpi: libppmpi for Fortran 2018. Independent pieces of work, run on every core of one machine or of a
! cluster; the same program runs plainly and under mpirun. The procedures have the names and the meaning of <ppmpi.h>.
!
!     module work
!       use ppmpi
!       use, intrinsic :: iso_fortran_env, only: int64
!     contains
!       subroutine square_task(task) bind(C, name='')
!         type(pp_task), intent(inout) :: task
!         integer(int64) :: n
!         call pp_task_args(task, n)
!         call pp_task_return(task, n * n)
!       end subroutine
!     end module
!
!     program main
!       use work
!       type(pp_server) :: server
!       type(pp_future) :: f
!       integer(int64)  :: r
!       server = pp_server_open()
!       f = pp_submit(server, square_task, 7_int64)
!       call pp_fetch(f, r)
!       call pp_server_close(server)
!     end program
!
! THE LAWS, which hold for every procedure below
!
! Tasks.   A task is a module procedure, or an internal one that uses nothing of its host, with the interface
!     pp_function. It sees the memory of the program as it was when pp_server_open was called, private to its worker:
!     later changes to module variables and COMMON do not travel. What it needs comes in its arguments, or by pp_share.
! Data.    a1 … a8, value, items and results are scalars or arrays of rank 0 to 7, of any kind of integer, real, complex,
!     logical, character, and of plain derived types: no pointer, allocatable or type-bound procedure in them. Array sections
!     need not be contiguous. What is not allocated counts as absent. An assumed-size array has no size to go by: pass a section.
! Status.  ierr is optional and passed by keyword: PP_OK, a positive status when nothing is wrong but there is nothing
!     (more) to get, or a negative PP_ERR_ code; pp_last_error() says why. A call that fails without ierr prints the reason to
!     stderr and ends the program by error stop; positive statuses never do. The procedures of tasks, pp_task_…, end the
!     task instead, which has failed. After an error every output is as it was before the call.
! Numbers. Integers are integer(c_int), seconds real(c_double); seconds < 0 means for ever, 0 not at all. Sizes in bytes are
!     integer(c_size_t). Indices count from 1.
! Text.    Trailing blanks of texts that are passed do not count.
module ppmpi
  use, intrinsic :: iso_c_binding, only: c_int, c_long, c_int64_t, c_size_t, c_double, c_ptr, c_null_ptr
  implicit none
  private

  ! ---- Status ------------------------------------------------------------------------------------------------

  integer(c_int), parameter, public :: &
    PP_OK = 0, &                ! success
    PP_TIMEOUT = 1, &           ! time ran out before there was anything to report
    PP_END = 2, &               ! nothing more to get
    PP_ERR_ARG = -1, &          ! invalid argument
    PP_ERR_HANDLE = -2, &       ! no such future or object: null, released, or of another server
    PP_ERR_SIZE = -3, &         ! size differs from what is there
    PP_ERR_NOMEM = -4, &        ! out of memory
    PP_ERR_LIMIT = -5, &        ! a limit of the system or of the library was reached
    PP_ERR_STATE = -6, &        ! not allowed in this state or place
    PP_ERR_FUNCTION = -7, &     ! procedure cannot be found in the other process
    PP_ERR_MODULE = -8, &       ! module cannot be shipped or loaded
    PP_ERR_TASK = -9, &         ! the task reported a failure
    PP_ERR_CRASHED = -10, &     ! the task crashed or left the process
    PP_ERR_TIMEOUT = -11, &     ! the task ran past its time-out
    PP_ERR_CANCELLED = -12, &   ! the task was cancelled
    PP_ERR_LOST = -13, &        ! the task was lost with the processes that ran it
    PP_ERR_MPI = -14, &         ! error in MPI
    PP_ERR_SYSTEM = -15, &      ! error of the operating system
    PP_ERR_UNSUPPORTED = -16, & ! not supported here
    PP_ERR_INTERNAL = -17       ! internal error of libppmpi

  integer(c_int), parameter, public :: PP_AUTODETECT = 0, PP_INHERIT = -1
  integer(c_int), parameter, public :: PP_ISOLATE_PROCESS = 0, PP_ISOLATE_NONE = 1
  integer(c_int), parameter, public :: PP_MPI_AUTO = 0, PP_MPI_ALWAYS = 1
  integer(c_int), parameter, public :: PP_LOG_ERROR = 0, PP_LOG_WARNING = 1, PP_LOG_INFO = 2, PP_LOG_DEBUG = 3
  integer(c_int), parameter, public :: PP_QUEUED = 0, PP_RUNNING = 1, PP_FINISHED = 2

  ! ---- Types -------------------------------------------------------------------------------------------------

  ! The job server: one at a time.
  type, bind(C), public :: pp_server
    private
    type(c_ptr) :: address = c_null_ptr
  end type

  ! The promise of a result: copy it, store it, pass it on. PP_NULL_FUTURE before it is assigned.
  type, bind(C), public :: pp_future
    private
    integer(c_int64_t) :: id = 0
  end type
  type(pp_future), parameter, public :: PP_NULL_FUTURE = pp_future()

  ! Whether two futures are the same.
  interface operator(==)
    module procedure same_future
  end interface
  interface operator(/=)
    module procedure other_future
  end interface
  public :: operator(==), operator(/=)

  ! Inside a task: the task itself. Only ever an argument.
  type, bind(C), public :: pp_task
    private
    integer(c_int) :: opaque = 0
  end type

  abstract interface
    ! The body of a task.
    subroutine pp_function(task) bind(C)
      import :: pp_task
      implicit none
      type(pp_task), intent(inout) :: task
    end subroutine

    ! A callback: runs as soon as its task has finished, before any waiter on that future returns, on a thread of the library,
    ! one at a time. It may submit, fetch and cancel.
    subroutine pp_callback(f, arg) bind(C)
      import :: pp_future, c_ptr
      implicit none
      type(pp_future), value :: f
      type(c_ptr), value :: arg
    end subroutine
  end interface
  public :: pp_function, pp_callback

  integer, parameter :: submit_mark = 1886418545, template_mark = 1886418546

  ! Options of pp_server_open. Every number and string has an environment variable PPMPI_<COMPONENT> (PPMPI_WORKERS=4), which
  ! wins over the program. Texts that are not allocated or blank: none.
  type, public :: pp_options
    integer(c_int) :: workers = PP_AUTODETECT          ! per rank; PP_AUTODETECT = one per core that the rank may use
    integer(c_int) :: cores_per_worker = 1             ! for tasks that use threads: cores each worker is bound to
    character(len=:), allocatable :: hosts             ! 'node-1,node-2': a program started plainly restarts itself there
    real(c_double) :: timeout = 0                      ! seconds for one try of a task; 0 = none
    integer(c_int) :: retries = 0                      ! further tries after a crash or a time-out of the task itself
    integer(c_int) :: restart = 0                      ! fresh worker process after so many tasks; 0 = never
    integer(c_int) :: isolation = PP_ISOLATE_PROCESS   ! or PP_ISOLATE_NONE: tasks run in the rank's own process
    integer(c_int) :: mpi = PP_MPI_AUTO                ! MPI when a launcher started the program; or PP_MPI_ALWAYS
    procedure(pp_function), pointer, nopass :: initializer => null()  ! run once in each new worker, before its first task
    type(c_ptr) :: initializer_args = c_null_ptr       ! what its pp_task_args gets: address and
    integer(c_size_t) :: initializer_bytes = 0         ! … size, as c_loc and c_sizeof give them
    character(len=:), allocatable :: modules           ! 'a.so:b.so' to ship ahead of time
    integer(c_size_t) :: queue_limit = 0               ! pp_submit waits while so many tasks are unfinished; 0 = no limit
    real(c_double) :: heartbeat = 10                   ! seconds of silence after which a rank counts as lost
    integer(c_int) :: stats = 0                        ! 1: print the statistics table at close
    integer(c_int) :: progress = 0                     ! 1: progress line on stderr
    integer(c_int) :: signal_stats = 1                 ! 1: SIGUSR1 prints the table to stderr
    integer(c_int) :: log_level = PP_LOG_WARNING       ! PP_LOG_ERROR, _WARNING, _INFO, _DEBUG; messages go to stderr
  end type

  ! Options of one submission. Texts that are not allocated or blank: the default.
  type, public :: pp_submit_options
    integer, private :: mark = submit_mark
    character(len=:), allocatable :: group             ! 'default'
    character(len=:), allocatable :: name              ! for logs, progress and pp_info; none
    integer(c_int) :: priority = 0                     ! higher first; equal: in order of submission
    integer(c_int) :: retries = PP_INHERIT             ! further tries after a crash or time-out; PP_INHERIT = the server's
    real(c_double) :: timeout = PP_INHERIT             ! seconds for one try, from its start; 0 = none, PP_INHERIT = the server's
    procedure(pp_callback), pointer, nopass :: callback => null()
    type(c_ptr) :: callback_arg = c_null_ptr           ! handed to callback
  end type

  ! A task's procedure with the options that its submissions share.
  type, public :: pp_template
    integer, private :: mark = template_mark
    procedure(pp_function), pointer, nopass :: function => null()
    type(pp_submit_options) :: options
  end type
  interface pp_template
    module procedure make_template
  end interface

  ! What is known of a task.
  type, public :: pp_task_info
    integer(c_int) :: state = PP_QUEUED        ! PP_QUEUED, PP_RUNNING, PP_FINISHED
    integer(c_int) :: status = PP_OK           ! once finished: PP_OK or why not
    integer(c_int) :: code = 0                 ! of pp_task_fail, or the exit status of a task that stopped
    integer(c_int) :: signal = 0               ! that ended it, or 0
    integer(c_int) :: rank = -1                ! where it ran (last), -1 before
    integer(c_int) :: worker = -1              ! number of the worker in the farm from 0, -1 before
    integer(c_int) :: attempts = 0             ! tries so far
    integer(c_long) :: pid = 0                 ! of the worker process, 0 where not known
    real(c_double) :: submitted = 0, started = 0, finished = 0  ! seconds since the server was opened; of the last try
    integer(c_int64_t) :: task = 0             ! number of the task, from 1 in order of submission
    integer(c_size_t) :: result_bytes = 0
    character(len=256) :: host = ''
    character(len=64) :: name = ''
    character(len=512) :: message = ''         ! why it failed
  end type

  ! Totals since the server was opened.
  type, public :: pp_stats
    integer(c_int64_t) :: submitted = 0, done = 0, failed = 0, cancelled = 0, retried = 0, running = 0, queued = 0  ! tasks
    real(c_double) :: task_time = 0            ! sum of what the tasks took
    real(c_double) :: wall_time = 0            ! since open
    real(c_double) :: busy = 0                 ! fraction 0 … 1 of all workers' time spent in tasks
    integer(c_int64_t) :: bytes_in = 0, bytes_out = 0  ! arguments and results
  end type

  ! One node of the farm.
  type, public :: pp_node
    character(len=256) :: host = ''
    integer(c_int) :: first_rank = 0, ranks = 0  ! lowest rank on the node, and how many
    integer(c_int) :: cores = 0, workers = 0     ! cores that its ranks may use; workers that run there
  end type

  ! ---- Calls with data: straight to C, which alone is told kind, size and shape of any argument -----------------

  public :: pp_submit, pp_submit_with, pp_template_submit, pp_map, pp_fetch
  public :: pp_task_args, pp_task_args_size, pp_task_args_bytes, pp_task_return
  interface
    ! Procedures that are arguments have names that begin with pp_: gfortran takes the name of such a bind(C) dummy for a
    ! global one, and a program or a module of that name could not use this module.

    ! Queues one call of a task, pp_body, with a copy of the arguments. Never waits for a worker. The null future on failure.
    function pp_submit(server, pp_body, a1, a2, a3, a4, a5, a6, a7, a8, ierr) bind(C, name='pp_fortran_submit') result(f)
      import :: pp_server, pp_future, pp_function, c_int
      implicit none
      type(pp_server), value :: server
      procedure(pp_function) :: pp_body
      type(*), dimension(..), intent(in), optional :: a1, a2, a3, a4, a5, a6, a7, a8
      integer(c_int), intent(out), optional :: ierr
      type(pp_future) :: f
    end function

    ! The same with options, of type(pp_submit_options). (No other type is let through, but that is found at run time:
    ! a type with character components may not be named in an interface to C.)
    function pp_submit_with(server, options, pp_body, a1, a2, a3, a4, a5, a6, a7, a8, ierr) &
        bind(C, name='pp_fortran_submit_with') result(f)
      import :: pp_server, pp_future, pp_function, c_int
      implicit none
      type(pp_server), value :: server
      type(*), intent(in) :: options
      procedure(pp_function) :: pp_body
      type(*), dimension(..), intent(in), optional :: a1, a2, a3, a4, a5, a6, a7, a8
      integer(c_int), intent(out), optional :: ierr
      type(pp_future) :: f
    end function

    ! The same for a template, of type(pp_template).
    function pp_template_submit(server, template, a1, a2, a3, a4, a5, a6, a7, a8, ierr) &
        bind(C, name='pp_fortran_template_submit') result(f)
      import :: pp_server, pp_future, c_int
      implicit none
      type(pp_server), value :: server
      type(*), intent(in) :: template
      type(*), dimension(..), intent(in), optional :: a1, a2, a3, a4, a5, a6, a7, a8
      integer(c_int), intent(out), optional :: ierr
      type(pp_future) :: f
    end function

    ! One task for each item; the last dimension of items and results counts the items: task i gets items(…, i), and its
    ! result goes to results(…, i). All results that there are, are delivered; those of failed items stay untouched. ierr is the
    ! status of the failed item with the lowest index. Blocks.
    subroutine pp_map(server, pp_body, items, results, ierr) bind(C, name='pp_fortran_map')
      import :: pp_server, pp_function, c_int
      implicit none
      type(pp_server), value :: server
      procedure(pp_function) :: pp_body
      type(*), dimension(..), intent(in) :: items
      type(*), dimension(..), intent(inout) :: results
      integer(c_int), intent(out), optional :: ierr
    end subroutine

    ! Waits and copies the result, which must have exactly the size of value (else PP_ERR_SIZE). Without value: a task without a
    ! result. PP_OK releases the future; on an error it stays, for pp_info, until released. Blocks.
    subroutine pp_fetch(f, value, ierr) bind(C, name='pp_fortran_fetch')
      import :: pp_future, c_int
      implicit none
      type(pp_future), value :: f
      type(*), dimension(..), intent(inout), optional :: value
      integer(c_int), intent(out), optional :: ierr
    end subroutine

    ! The arguments of the submission, in its order. Their number must agree, and the number and size of the elements of each;
    ! characters, and arrays of single bytes, take any argument of the same size in bytes. When they do not agree and ierr is
    ! absent, the task ends here and has failed with PP_ERR_SIZE and the reason as its message.
    subroutine pp_task_args(task, a1, a2, a3, a4, a5, a6, a7, a8, ierr) bind(C, name='pp_fortran_task_args')
      import :: pp_task, c_int
      implicit none
      type(pp_task), intent(in) :: task
      type(*), dimension(..), intent(inout), optional :: a1, a2, a3, a4, a5, a6, a7, a8
      integer(c_int), intent(out), optional :: ierr
    end subroutine

    ! Size of the i-th argument in bytes.
    function pp_task_args_bytes(task, i, ierr) bind(C, name='pp_fortran_task_args_bytes') result(bytes)
      import :: pp_task, c_int, c_size_t
      implicit none
      type(pp_task), intent(in) :: task
      integer(c_int), value :: i
      integer(c_int), intent(out), optional :: ierr
      integer(c_size_t) :: bytes
    end function

    ! The result of the task. A second call replaces the first; a task that never calls it has an empty result.
    subroutine pp_task_return(task, value, ierr) bind(C, name='pp_fortran_task_return')
      import :: pp_task, c_int
      implicit none
      type(pp_task), intent(inout) :: task
      type(*), dimension(..), intent(in) :: value
      integer(c_int), intent(out), optional :: ierr
    end subroutine
  end interface

  ! Number of elements of the i-th argument, to allocate an array for it; of a character scalar its length, of another scalar 1.
  ! An index of kind int64 gives an answer of that kind, for more elements than the default kind can count. mold matters for an argument that C has submitted,
  ! of which nothing but its bytes is known: a scalar or array of the type and kind that it has. Fails as pp_task_args does.
  interface pp_task_args_size
    function task_args_size(task, i, mold, ierr) bind(C, name='pp_fortran_task_args_size') result(elements)
      import :: pp_task, c_int
      implicit none
      type(pp_task), intent(in) :: task
      integer(c_int), value :: i
      type(*), dimension(..), intent(in), optional :: mold
      integer(c_int), intent(out), optional :: ierr
      integer(c_int) :: elements
    end function

    function task_args_size_long(task, i, mold, ierr) bind(C, name='pp_fortran_task_args_size_long') result(elements)
      import :: pp_task, c_int, c_int64_t
      implicit none
      type(pp_task), intent(in) :: task
      integer(c_int64_t), value :: i
      type(*), dimension(..), intent(in), optional :: mold
      integer(c_int), intent(out), optional :: ierr
      integer(c_int64_t) :: elements
    end function
  end interface

  ! ---- Everything else ---------------------------------------------------------------------------------------

  public :: pp_prepare, pp_server_open_comm, pp_server_is_open
  public :: pp_server_open, pp_server_close, pp_get_ncpus, pp_set_ncpus, pp_get_active_nodes, pp_get_stats, pp_print_stats
  public :: pp_result, pp_result_size, pp_release, pp_wait, pp_wait_for, pp_done, pp_wait_all, pp_wait_any, pp_wait_failed
  public :: pp_wait_group, pp_next, pp_cancel, pp_add_callback, pp_info
  public :: pp_task_fail, pp_task_id, pp_task_attempt, pp_task_worker, pp_task_current, pp_task_result
  public :: pp_strerror, pp_last_error, pp_last_error_code, pp_version

  ! Number of the task, from 1 in order of submission.
  interface pp_task_id
    module procedure task_id_int, task_id_int64
  end interface

  include 'interfaces.inc'
  include 'share.inc'

contains

  ! pp_template(task, options), which the private component keeps the type's own constructor from.
  function make_template(pp_body, options) result(template)
    procedure(pp_function) :: pp_body
    type(pp_submit_options), intent(in), optional :: options
    type(pp_template) :: template
    template%function => pp_body
    if (present(options)) template%options = options
  end function

  elemental logical function same_future(a, b)
    type(pp_future), intent(in) :: a, b
    same_future = a%id == b%id
  end function

  elemental logical function other_future(a, b)
    type(pp_future), intent(in) :: a, b
    other_future = a%id /= b%id
  end function
end module
