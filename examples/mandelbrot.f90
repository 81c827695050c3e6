! The Mandelbrot set as a picture. Each row of pixels is a task, which returns its pixels as an array; rows take very
! different times, and whoever has nothing to do takes the next. `mandelbrot FILE` names the picture. libpng, a library
! in C, writes it.
!
!     gfortran mandelbrot.f90 $(pkg-config --cflags --libs ppmpi-fortran libpng) -o mandelbrot      (Debian: libpng-dev)
module png
  use, intrinsic :: iso_c_binding
  implicit none

  ! png_image of libpng 1.6.
  type, bind(C) :: png_image
    type(c_ptr) :: opaque = c_null_ptr
    integer(c_int32_t) :: version = 1
    integer(c_int32_t) :: width, height
    integer(c_int32_t) :: format = 2 ! red, green, blue: a byte each
    integer(c_int32_t) :: flags = 0, colormap_entries = 0, warning_or_error = 0
    character(kind=c_char) :: message(64) = c_null_char
  end type

  interface
    integer(c_int) function png_image_write_to_file(image, file, to_8_bit, buffer, row_stride, colormap) bind(C)
      import :: png_image, c_int, c_int32_t, c_char, c_ptr
      type(png_image), intent(inout) :: image
      character(kind=c_char), intent(in) :: file(*), buffer(*)
      integer(c_int), value :: to_8_bit
      integer(c_int32_t), value :: row_stride
      type(c_ptr), value :: colormap
    end function
  end interface
end module

module work
  use ppmpi
  use, intrinsic :: iso_c_binding, only: c_char
  use, intrinsic :: iso_fortran_env, only: real64, error_unit
  implicit none
  integer, parameter :: width = 600, height = 400, steps = 1000
contains
  ! Red, green and blue: black within the set; outside, the colour tells how soon the point is known to be there.
  function colour(x, y) result(pixel)
    real(real64), intent(in) :: x, y
    character(kind=c_char) :: pixel(3)
    real(real64) :: re, im, re2, im2
    integer :: step, shade

    pixel = char(0)
    re = 0
    im = 0
    do step = 0, steps - 1
      re2 = re * re
      im2 = im * im
      if (re2 + im2 > 4) then
        shade = 16 * mod(step, 16)
        pixel = [char(shade / 2), char(shade), char(255)]
        return
      end if
      im = 2 * re * im + y
      re = re2 - im2 + x
    end do
  end function

  subroutine row(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    character(kind=c_char) :: pixels(3, width)
    integer :: i, j

    call pp_task_args(task, j)
    do i = 1, width
      pixels(:, i) = colour(-2.25_real64 + 0.005_real64 * (i - 0.5_real64), -1 + 0.005_real64 * (j - 0.5_real64))
    end do
    call pp_task_return(task, pixels)
  end subroutine
end module

program mandelbrot
  use work
  use png
  implicit none
  type(pp_server) :: server
  type(pp_future) :: rows(height)
  type(png_image) :: picture
  character(kind=c_char) :: image(3, width, height)
  character(len=4096) :: file
  integer :: j

  server = pp_server_open()
  do j = 1, height
    rows(j) = pp_submit(server, row, j)
  end do
  do j = 1, height
    call pp_fetch(rows(j), image(:, :, j))
  end do
  call pp_server_close(server)

  file = 'mandelbrot.png'
  if (command_argument_count() > 0) call get_command_argument(1, file)
  picture%width = width
  picture%height = height
  if (png_image_write_to_file(picture, trim(file) // c_null_char, 0, image, 0, c_null_ptr) == 0) then
    write (error_unit, '(*(a))') 'mandelbrot: ', trim(file), ': ', pack(picture%message, picture%message /= c_null_char)
    stop 1
  end if
  print '(i0,a,i0,a,i0,a)', width, ' x ', height, ' pixels, ', &
    count(image(3, :, :) == char(0)), ' of them in the Mandelbrot set'
end program
