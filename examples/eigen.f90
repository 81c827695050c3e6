! Energy bands of electrons in a two-dimensional crystal: a square lattice, lattice constant 1, of wells of Gaussian
! shape. In a basis of plane waves the energies at a wave vector k are the eigenvalues of a symmetric matrix,
!
!     H(G, G') = |k + G|**2 / 2 (G = G')  -  depth * exp(-|G - G'|**2 * width**2 / 4) ,
!
! one matrix, and one call of LAPACK, for each point on the way Gamma - X - M - Gamma. eigen_serial.f90 is the program
! as it was, for one core; `diff eigen_serial.f90 eigen.f90` shows all that it took to run it on every core there is.
module crystal
  use ppmpi
  use, intrinsic :: iso_fortran_env, only: real64
  implicit none
  integer, parameter :: bands = 6, points = 31
  integer, parameter :: reach = 5, waves = (2 * reach + 1)**2 ! plane waves, reach in both directions
  real(real64), parameter :: pi = acos(-1.0_real64)
  real(real64), parameter :: depth = 4, width = 0.3_real64

  interface
    subroutine dsyev(jobz, uplo, n, a, lda, w, work, lwork, info)
      import :: real64
      character, intent(in) :: jobz, uplo
      integer, intent(in) :: n, lda, lwork
      real(real64), intent(inout) :: a(lda, *)
      real(real64), intent(out) :: w(*), work(*)
      integer, intent(out) :: info
    end subroutine
  end interface
contains
  function energies(k)
    real(real64), intent(in) :: k(2)
    real(real64) :: energies(bands)
    real(real64), allocatable :: h(:, :)
    real(real64) :: g(2, waves), values(waves), work(34 * waves)
    integer :: i, j, info

    allocate (h(waves, waves))
    do i = 1, waves
      g(:, i) = 2 * pi * [mod(i - 1, 2 * reach + 1) - reach, (i - 1) / (2 * reach + 1) - reach]
    end do
    do j = 1, waves
      do i = 1, waves
        h(i, j) = -depth * exp(-0.25_real64 * width**2 * sum((g(:, i) - g(:, j))**2))
      end do
      h(j, j) = h(j, j) + 0.5_real64 * sum((k + g(:, j))**2)
    end do
    call dsyev('N', 'U', waves, h, waves, values, work, size(work), info)
    if (info /= 0) error stop 'dsyev has failed'
    energies = values(:bands)
  end function

  subroutine energies_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    real(real64) :: k(2)

    call pp_task_args(task, k)
    call pp_task_return(task, energies(k))
  end subroutine

  ! Ten steps each from Gamma (0, 0) to X (pi, 0), to M (pi, pi), and back to Gamma.
  function path(i) result(k)
    integer, intent(in) :: i
    real(real64) :: k(2), step

    step = pi * mod(i - 1, 10) / 10
    select case ((i - 1) / 10)
    case (0)
      k = [step, 0.0_real64]
    case (1)
      k = [pi, step]
    case (2)
      k = pi - step
    case default
      k = 0
    end select
  end function
end module

program eigen
  use crystal
  implicit none
  type(pp_server) :: server
  real(real64) :: k(2, points), e(bands, points)
  integer :: i

  server = pp_server_open()
  do i = 1, points
    k(:, i) = path(i)
  end do
  call pp_map(server, energies_task, k, e)
  call pp_server_close(server)

  print '(a)', '    kx      ky    energies'
  do i = 1, points
    print '(f7.4,1x,f7.4,*(1x,f10.5))', k(:, i), e(:, i)
  end do
end program
