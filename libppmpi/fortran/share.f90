! Shared data: what needs no descriptor; pp_share itself is C's (share.c).
submodule (ppmpi:ppmpi_support) ppmpi_share
  implicit none

  interface
    integer(c_int) function c_unshare(server, shared) bind(C, name='pp_unshare')
      import :: c_ptr, c_int, pp_shared
      type(c_ptr), value :: server
      type(pp_shared), value :: shared
    end function
    integer(c_int) function find_shared(shared, address, bytes) bind(C, name='pp_fortran_shared_data')
      import :: c_int, c_ptr, c_size_t, pp_shared
      type(pp_shared), value :: shared
      type(c_ptr), intent(inout) :: address
      integer(c_size_t), intent(inout) :: bytes
    end function
  end interface

contains

  module subroutine pp_shared_data(shared, address, bytes, ierr)
    type(pp_shared), intent(in) :: shared
    type(c_ptr), intent(inout) :: address
    integer(c_size_t), intent(inout) :: bytes
    integer(c_int), intent(out), optional :: ierr
    call finish(find_shared(shared, address, bytes), c_char_'pp_shared_data' // c_null_char, ierr)
  end subroutine

  module subroutine pp_unshare(server, shared, ierr)
    type(pp_server), intent(in) :: server
    type(pp_shared), intent(in) :: shared
    integer(c_int), intent(out), optional :: ierr
    call finish(c_unshare(server%address, shared), c_char_'pp_unshare' // c_null_char, ierr)
  end subroutine
end submodule
