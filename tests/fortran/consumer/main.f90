! A user's program against the installed module. Prints "42 <version>".
module work
  use ppmpi
  implicit none
contains
  subroutine twice(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer :: n
    call pp_task_args(task, n)
    call pp_task_return(task, 2 * n)
  end subroutine
end module

program main
  use work
  implicit none
  type(pp_server) :: server
  character(len=:), allocatable :: version
  integer :: n
  server = pp_server_open(pp_options(workers=1))
  call pp_fetch(pp_submit(server, twice, 21), n)
  call pp_server_close(server)
  call pp_version(version)
  write(*, '(i0,1x,a)') n, version
end program
