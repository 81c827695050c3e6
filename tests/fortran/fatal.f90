! Fails without ierr, in one of several ways; fatal.sh looks at the end.
module fatalities
  use ppmpi
  implicit none
contains
  subroutine fail_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    call pp_task_fail(task, 3, 'as it should')
  end subroutine

  subroutine forever_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer, volatile :: i
    i = 0
    do while (i == 0)
    end do
    call pp_task_return(task, 0)
  end subroutine

  subroutine bad_callback(f, arg) bind(C, name='')
    use, intrinsic :: iso_c_binding, only: c_ptr, c_associated
    type(pp_future), value :: f
    type(c_ptr), value :: arg
    if (f == PP_NULL_FUTURE .or. c_associated(arg)) return
    call pp_fetch(PP_NULL_FUTURE)
  end subroutine
end module

program fatal
  use fatalities
  implicit none
  type(pp_server) :: server
  type(pp_future) :: f
  character(len=16) :: how
  integer :: n
  call get_command_argument(1, how)
  if (how == 'open') server = pp_server_open(pp_options(workers=-2))
  server = pp_server_open(pp_options(workers=2))
  select case (how)
  case ('fetch')
    f = pp_submit(server, fail_task)
    call pp_fetch(f, n)
  case ('size')
    f = pp_submit(server, fail_task)
    call pp_wait(f)
    call pp_release(f)
    call pp_fetch(f, n)
  case ('submit')
    f = pp_submit_with(server, pp_submit_options(retries=-9), fail_task)
  case ('options')
    f = pp_submit_with(server, 'no options', fail_task)
  case ('wait')
    call pp_wait(PP_NULL_FUTURE)
  case ('running')
    f = pp_submit(server, forever_task)
    call pp_wait_for(f, 0.1d0)
    call pp_fetch(PP_NULL_FUTURE, n)
  case ('callback') ! on the callback thread
    f = pp_submit(server, fail_task)
    call pp_add_callback(f, bad_callback)
    call pp_wait_group(server, seconds=-1.0d0)
  case ('read') ! not a call of ours, but the server is open
    f = pp_submit(server, forever_task)
    read(*, *) n
  case ('end') ! no close: what runs is cancelled, the exit status is kept
    f = pp_submit(server, forever_task)
    stop 9
  end select
  print *, 'went on'
end program
