! ranks: 2
! C tasks submitted from Fortran, Fortran tasks submitted from C.
module mixed
  use check
  implicit none
  interface
    subroutine c_sum(task) bind(C)
      import :: pp_task
      type(pp_task), intent(inout) :: task
    end subroutine
    integer(c_int) function c_submit(server, fn, x, n, out) bind(C)
      import :: pp_server, c_funptr, c_double, c_int
      type(pp_server), value :: server
      type(c_funptr), value :: fn
      real(c_double), value :: x
      integer(c_int), value :: n
      real(c_double), intent(out) :: out
    end function
    integer(c_int) function c_submit_named(server, values, n, out) bind(C)
      import :: pp_server, c_size_t, c_int
      type(pp_server), value :: server
      integer(c_int), intent(in) :: values(*)
      integer(c_size_t), value :: n
      integer(c_int), intent(out) :: out(*)
    end function
  end interface
contains
  subroutine half_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    real(c_double) :: x
    call pp_task_args(task, x)
    call pp_task_return(task, x / 2)
  end subroutine

  ! An array of any length from C: only mold tells its elements.
  subroutine named_task(task) bind(C, name='fortran_named_task')
    type(pp_task), intent(inout) :: task
    integer(c_int), allocatable :: x(:)
    integer(c_int) :: ierr
    integer :: n
    n = pp_task_args_size(task, 1, ierr=ierr)
    if (ierr /= PP_ERR_ARG) call pp_task_fail(task, ierr, 'size of an element that nobody has told')
    allocate(x(pp_task_args_size(task, 1, mold=0_c_int) + n))
    call pp_task_args(task, x)
    call pp_task_return(task, x(size(x):1:-1))
  end subroutine
end module

program test_mixed
  use mixed
  implicit none
  type(pp_server) :: server
  real(c_double) :: x(6) = [1, 2, 3, 4, 5, 6], total
  integer(c_int) :: backwards(5)
  server = pp_server_open()
  call pp_fetch(pp_submit(server, c_sum, x), total)
  call claim(nint(total) == 21, 'a C task from Fortran: an array is its bytes')
  call pp_fetch(pp_submit(server, c_sum, x(1::2)), total)
  call claim(nint(total) == 9, 'a C task from Fortran: a section')
  call pp_fetch(pp_submit(server, c_sum, 8.0_c_double), total)
  call claim(nint(total) == 8, 'a C task from Fortran: a scalar')
  call claim_status(c_submit(server, c_funloc(half_task), 3.0_c_double, 10, total), PP_OK, 'a Fortran task from C')
  call claim(nint(total) == 15, 'its results')
  call claim_status(c_submit_named(server, [1, 2, 3, 4, 5], 5_c_size_t, backwards), PP_OK, 'a Fortran task that C names')
  call claim(all(backwards == [5, 4, 3, 2, 1]), 'its array')
  call pp_server_close(server)
  call conclude(7)
end program
