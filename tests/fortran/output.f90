! Writes in the program and in tasks, to standard output and to files; output.sh looks at what came of it.
module writers
  use ppmpi
  implicit none
  integer, save :: log_unit
contains
  subroutine lines_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer :: i, k
    call pp_task_args(task, i)
    do k = 1, 3
      write(*, '(a,i0,a,i0,a)') 'task ', i, ' writes ', k, ' of 3'
    end do
    write(*, '(a,i0)', advance='no') 'unfinished ', i
    write(log_unit, '(a,i0)') 'logged ', i
    call pp_task_return(task, i)
  end subroutine

  ! Opens a file and leaves it open, its text in the buffer.
  subroutine file_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer :: i, unit
    character(len=32) :: name
    call pp_task_args(task, i)
    write(name, '(a,i0,a)') 'output-', i, '.txt'
    open(newunit=unit, file=trim(name), status='replace', action='write')
    write(unit, '(a,i0)') 'file of ', i
  end subroutine

  integer function value_of(f)
    type(pp_future), intent(in) :: f
    call pp_fetch(f, value_of)
  end function

  subroutine stop_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    write(*, '(a)') 'before stop'
    call pp_task_return(task, 1)
    stop
  end subroutine
end module

program output
  use writers
  implicit none
  integer, parameter :: n = 40
  type(pp_server) :: server
  type(pp_future) :: f(n)
  integer :: i, k, unit, status
  character(len=32) :: name, text
  open(newunit=log_unit, file='output.log', status='replace', action='write')
  write(log_unit, '(a)') 'logged before'
  write(*, '(a)') 'before open'
  server = pp_server_open(pp_options(workers=2))
  write(*, '(a)') 'before the tasks'
  do i = 1, n
    f(i) = pp_submit(server, lines_task, i)
  end do
  do i = 1, n
    call pp_fetch(f(i), k)
    write(*, '(a,i0)') 'fetched ', k
  end do
  do i = 1, 4
    f(i) = pp_submit(server, file_task, i)
  end do
  f(5) = pp_submit(server, stop_task)
  call pp_wait_all(f(1:5), -1.0d0)
  do i = 1, 4 ! while the units are open in the workers
    write(name, '(a,i0,a)') 'output-', i, '.txt'
    open(newunit=unit, file=trim(name), status='old', action='read')
    read(unit, '(a)', iostat=status) text
    if (status /= 0) write(*, '(2a)') 'nothing in ', trim(name)
    close(unit)
  end do
  call pp_fetch(f(5), k, ierr=status)
  ! A statement that calls us has locked the unit that text of tasks goes through.
  write(*, '(a,i0)') 'in a statement ', value_of(pp_submit(server, lines_task, 99))
  write(*, '(a)') 'before the table'
  call pp_print_stats(server)
  write(*, '(a)') 'after the table'
  call pp_server_close(server)
  write(log_unit, '(a)') 'logged after'
  write(*, '(a,i0)') 'closed, status of stop ', status
end program
