! How far does a ball fly, and how does that change with the angle at which it is thrown? Automatic differentiation
! answers both in one run: a dual number carries a value and its derivative through the computation, here through the
! equations of motion with air drag. Derived types are arguments and results like any number.
!
!     gfortran auto_diff.f90 $(pkg-config --cflags --libs ppmpi-fortran) -o auto_diff
module duals
  use, intrinsic :: iso_fortran_env, only: real64
  implicit none
  private
  public :: dual, operator(+), operator(-), operator(*), operator(/), sqrt, sin, cos

  type dual
    real(real64) :: value, derivative
  end type

  interface operator(+)
    module procedure add
  end interface
  interface operator(-)
    module procedure subtract, subtract_from_real
  end interface
  interface operator(*)
    module procedure multiply, multiply_real
  end interface
  interface operator(/)
    module procedure divide
  end interface
  interface sqrt
    module procedure square_root
  end interface
  interface sin
    module procedure sine
  end interface
  interface cos
    module procedure cosine
  end interface
contains
  pure type(dual) function add(a, b)
    type(dual), intent(in) :: a, b
    add = dual(a%value + b%value, a%derivative + b%derivative)
  end function

  pure type(dual) function subtract(a, b)
    type(dual), intent(in) :: a, b
    subtract = dual(a%value - b%value, a%derivative - b%derivative)
  end function

  pure type(dual) function subtract_from_real(a, b)
    real(real64), intent(in) :: a
    type(dual), intent(in) :: b
    subtract_from_real = dual(a - b%value, -b%derivative)
  end function

  pure type(dual) function multiply(a, b)
    type(dual), intent(in) :: a, b
    multiply = dual(a%value * b%value, a%derivative * b%value + a%value * b%derivative)
  end function

  pure type(dual) function multiply_real(a, b)
    real(real64), intent(in) :: a
    type(dual), intent(in) :: b
    multiply_real = dual(a * b%value, a * b%derivative)
  end function

  pure type(dual) function divide(a, b)
    type(dual), intent(in) :: a, b
    divide%value = a%value / b%value
    divide%derivative = (a%derivative - divide%value * b%derivative) / b%value
  end function

  pure type(dual) function square_root(a)
    type(dual), intent(in) :: a
    square_root%value = sqrt(a%value)
    square_root%derivative = a%derivative / (2 * square_root%value)
  end function

  pure type(dual) function sine(a)
    type(dual), intent(in) :: a
    sine = dual(sin(a%value), a%derivative * cos(a%value))
  end function

  pure type(dual) function cosine(a)
    type(dual), intent(in) :: a
    cosine = dual(cos(a%value), -a%derivative * sin(a%value))
  end function
end module

module work
  use ppmpi
  use duals
  use, intrinsic :: iso_fortran_env, only: real64
  implicit none

  type ball
    real(real64) :: speed ! m/s, when thrown
    real(real64) :: drag  ! 1/m: air slows it down by drag * speed**2
  end type
contains
  ! Metres from throw to landing, by small steps in time.
  type(dual) function distance(b, angle)
    type(ball), intent(in) :: b
    type(dual), intent(in) :: angle
    real(real64), parameter :: step = 1e-5_real64 ! s
    type(dual) :: gravity, x, y, u, v, old_x, old_y, slower

    gravity = dual(9.81_real64, 0) ! m/s**2
    x = dual(0, 0)
    y = x
    u = b%speed * cos(angle) ! velocity along x and y
    v = b%speed * sin(angle)
    do while (y%value >= 0)
      slower = 1.0_real64 - step * (b%drag * sqrt(u * u + v * v))
      old_x = x
      old_y = y
      u = u * slower
      v = v * slower - step * gravity
      x = x + step * u
      y = y + step * v
    end do
    ! The ground lies between the last two points.
    distance = old_x + (x - old_x) * (old_y / (old_y - y))
  end function

  subroutine distance_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    type(ball) :: b
    type(dual) :: angle

    call pp_task_args(task, b, angle)
    call pp_task_return(task, distance(b, angle))
  end subroutine
end module

program auto_diff
  use work
  implicit none
  real(real64), parameter :: degree = acos(-1.0_real64) / 180
  type(pp_server) :: server
  integer :: i
  integer, parameter :: angles(*) = [(i, i = 20, 60, 2)]
  type(pp_future) :: distances(size(angles))
  type(dual) :: d

  server = pp_server_open()

  do i = 1, size(angles) ! derivatives will be those by degrees
    distances(i) = pp_submit(server, distance_task, ball(40, 0.005_real64), dual(angles(i) * degree, degree))
  end do

  print '(a)', 'degrees  distance in m  change in m per degree'
  do i = 1, size(angles)
    call pp_fetch(distances(i), d)
    print '(i7,1x,f14.4,1x,f23.4)', angles(i), d
  end do
  call pp_server_close(server)
end program
