! Mutual inductance of two circular coils (radii 50 mm and 40 mm, one turn each, parallel planes), for a table of
! distances between the planes and lateral offsets of the axes, as needed to lay out a wireless charger. Neumann's
! formula gives it as a double integral along the two wires,
!
!     M = mu0/(4 pi) * Int_0^2pi Int_0^2pi  r1 r2 cos(p - q) / |P(p) - Q(q)|  dp dq ,
!
! done here with nested adaptive Gauss-Kronrod quadrature (7 and 15 points).
!
!     gfortran integrate.f90 $(pkg-config --cflags --libs ppmpi-fortran) -o integrate
module coils
  use ppmpi
  use, intrinsic :: iso_fortran_env, only: dp => real64
  implicit none
  real(dp), parameter :: pi = acos(-1.0_dp)
  real(dp), parameter :: r1 = 0.050_dp, r2 = 0.040_dp ! metres

  type place
    real(dp) :: offset, distance ! metres
    real(dp) :: p                ! angle on the first coil
  end type

  abstract interface
    recursive real(dp) function integrand(x, c)
      import :: dp, place
      real(dp), intent(in) :: x
      type(place), intent(in) :: c
    end function
  end interface
contains
  ! Integral of f over [a, b], halving the interval until the two rules agree to within the tolerance.
  recursive real(dp) function integrate(f, c, a, b, tolerance, depth) result(integral)
    procedure(integrand) :: f
    type(place), intent(in) :: c
    real(dp), intent(in) :: a, b, tolerance
    integer, intent(in) :: depth
    real(dp), parameter :: x(8) = [0.991455371120812639206854697526329_dp, 0.949107912342758524526189684047851_dp, &
                                   0.864864423359769072789712788640926_dp, 0.741531185599394439863864773280788_dp, &
                                   0.586087235467691130294144691693013_dp, 0.405845151377397166906606412076961_dp, &
                                   0.207784955007898467600689403773245_dp, 0.0_dp]
    real(dp), parameter :: kronrod(8) = &
      [0.022935322010529224963732008058970_dp, 0.063092092629978553290700663189204_dp, &
       0.104790010322250183839876322541518_dp, 0.140653259715525918745189590510238_dp, &
       0.169004726639267902826583426598550_dp, 0.190350578064785409913256402421014_dp, &
       0.204432940075298892414161999234649_dp, 0.209482141084727828012999174891714_dp]
    real(dp), parameter :: gauss(8) = [0.0_dp, 0.129484966168869693270611432679082_dp, &
                                       0.0_dp, 0.279705391489276667901467771423780_dp, &
                                       0.0_dp, 0.381830050505118944950369775488975_dp, &
                                       0.0_dp, 0.417959183673469387755102040816327_dp]
    real(dp) :: center, half, value, k15, g7
    integer :: i

    center = 0.5_dp * (a + b)
    half = 0.5_dp * (b - a)
    value = f(center, c)
    k15 = kronrod(8) * value
    g7 = gauss(8) * value
    do i = 1, 7
      value = f(center - half * x(i), c) + f(center + half * x(i), c)
      k15 = k15 + kronrod(i) * value
      g7 = g7 + gauss(i) * value
    end do
    if (depth == 0 .or. abs(k15 - g7) * half <= tolerance) then
      integral = k15 * half
    else
      integral = integrate(f, c, a, center, 0.5_dp * tolerance, depth - 1) + &
                 integrate(f, c, center, b, 0.5_dp * tolerance, depth - 1)
    end if
  end function

  recursive real(dp) function inner(q, c)
    real(dp), intent(in) :: q
    type(place), intent(in) :: c
    real(dp) :: dx, dy

    dx = c%offset + r2 * cos(q) - r1 * cos(c%p)
    dy = r2 * sin(q) - r1 * sin(c%p)
    inner = r1 * r2 * cos(c%p - q) / sqrt(dx * dx + dy * dy + c%distance * c%distance)
  end function

  recursive real(dp) function outer(p, c)
    real(dp), intent(in) :: p
    type(place), intent(in) :: c

    outer = integrate(inner, place(c%offset, c%distance, p), 0.0_dp, 2 * pi, 1e-13_dp, 40)
  end function

  ! In nanohenry. The lateral offset is along x, so both halves of the first coil contribute the same.
  subroutine mutual_inductance(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    real(dp) :: offset, distance

    call pp_task_args(task, offset, distance)
    call pp_task_return(task, 1e9_dp * 1e-7_dp * 2 * &
                              integrate(outer, place(offset, distance, 0), 0.0_dp, pi, 1e-12_dp, 40))
  end subroutine
end module

program main
  use coils
  implicit none
  integer, parameter :: offsets = 9, distances = 20
  type(pp_server) :: server
  type(pp_future) :: f(offsets, distances)
  real(dp) :: table(offsets, distances)
  integer :: i, j

  server = pp_server_open()
  do i = 1, distances
    do j = 1, offsets
      f(j, i) = pp_submit(server, mutual_inductance, 0.010_dp * (j - 1), 0.001_dp * i)
    end do
  end do

  do i = 1, distances
    do j = 1, offsets
      call pp_fetch(f(j, i), table(j, i))
    end do
  end do
  call pp_server_close(server)

  print '(a,/)', 'Mutual inductance in nH; lateral offset in mm across, distance in mm down'
  print '(4x,*(1x,i9))', [(10 * (j - 1), j = 1, offsets)]
  do i = 1, distances
    print '(i4,*(1x,f9.4))', i, table(:, i)
  end do
end program
