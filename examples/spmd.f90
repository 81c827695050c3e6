! An MPI program with an unbalanced phase, as in spmd.c: a flame front on a line of cells. Heat spreads in steps that cost the
! same on every rank: plain MPI, each rank with its part of the line. The chemistry of a cell costs next to nothing in the
! cold and in the burnt gas and a thousand times more in the front, which sits on one or two ranks: a farm shares it out,
! cell by cell, to whoever is free.
!
!     mpifort spmd.f90 $(pkg-config --cflags --libs ppmpi-fortran) -o spmd
!     mpirun -np 4 ./spmd
module flame
  use ppmpi
  use, intrinsic :: iso_fortran_env, only: real64, int64
  implicit none
  integer, parameter :: cells = 240, phases = 5 ! phases: of chemistry
  integer, parameter :: spreads = 40            ! steps of heat between two of them
  real(real64), parameter :: seconds = 0.1_real64
contains

  ! Integrates one cell, temperature (1 = burnt) and fuel (1 = unburnt): it burns at a rate that rises steeply with
  ! temperature, in steps that follow the rate.
  subroutine burn(gas, steps)
    real(real64), intent(inout) :: gas(2)
    integer(int64), intent(out) :: steps
    real(real64) :: t, rate, step, burning
    t = 0
    steps = 0
    do while (t < seconds)
      rate = 5e5_real64 * exp(-8 / gas(1))
      step = 1e-6_real64 / (rate * gas(2) + 0.01_real64)
      if (step > seconds - t) step = seconds - t
      burning = gas(2) * (1 - exp(-rate * step))
      gas(2) = gas(2) - burning
      gas(1) = gas(1) + 0.8_real64 * burning
      t = t + step
      steps = steps + 1
    end do
  end subroutine

  ! The same as a task. Its result is the gas and, as a third number, the steps.
  subroutine burn_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    real(real64) :: gas(2)
    integer(int64) :: steps
    call pp_task_args(task, gas)
    call burn(gas, steps)
    call pp_task_return(task, [gas, real(steps, real64)])
  end subroutine
end module

program spmd
  use flame
  use mpi
  implicit none
  real(real64) :: all(2, cells)
  real(real64), allocatable :: mine(:, :)
  integer, allocatable :: counts(:), starts(:)
  integer :: rank, ranks, phase, i, ierr

  call pp_prepare() ! before MPI_Init: so tasks run in processes of their own, and on every core
  call MPI_Init(ierr)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, ierr)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks, ierr)
  if (ranks > cells) then
    if (rank == 0) print '(a, i0, a, i0, a)', 'spmd: ', ranks, ' ranks are too many for ', cells, ' cells'
    call MPI_Abort(MPI_COMM_WORLD, 1, ierr)
  end if
  allocate (starts(ranks), counts(ranks)) ! of numbers, two to a cell
  do i = 1, ranks
    starts(i) = 2 * (cells * (i - 1) / ranks)
    counts(i) = 2 * (cells * i / ranks) - starts(i)
  end do
  allocate (mine(2, counts(rank + 1) / 2))

  all(1, :) = 0.2_real64
  all(2, :) = 1
  all(1, :cells / 8) = 1
  all(2, :cells / 8) = 0
  do phase = 1, phases
    call MPI_Scatterv(all, counts, starts, MPI_DOUBLE_PRECISION, mine, counts(rank + 1), MPI_DOUBLE_PRECISION, 0, &
                      MPI_COMM_WORLD, ierr)
    do i = 1, spreads
      call spread_heat(mine(1, :))
    end do
    call MPI_Gatherv(mine, counts(rank + 1), MPI_DOUBLE_PRECISION, all, counts, starts, MPI_DOUBLE_PRECISION, 0, &
                     MPI_COMM_WORLD, ierr)
    call react(phase)
  end do
  call MPI_Finalize(ierr)

contains

  ! One step of heat conduction; the neighbours' cells next to ours come from other ranks.
  subroutine spread_heat(temperature)
    real(real64), intent(inout) :: temperature(:)
    real(real64) :: wide(0:size(temperature) + 1)
    integer :: n, left, right, status(MPI_STATUS_SIZE)
    n = size(temperature)
    left = merge(rank - 1, MPI_PROC_NULL, rank > 0)
    right = merge(rank + 1, MPI_PROC_NULL, rank < ranks - 1)
    wide(1:n) = temperature
    wide(0) = temperature(1)
    wide(n + 1) = temperature(n)
    call MPI_Sendrecv(wide(n:n), 1, MPI_DOUBLE_PRECISION, right, 0, wide(0:0), 1, MPI_DOUBLE_PRECISION, left, 0, &
                      MPI_COMM_WORLD, status, ierr)
    call MPI_Sendrecv(wide(1:1), 1, MPI_DOUBLE_PRECISION, left, 1, wide(n + 1:n + 1), 1, MPI_DOUBLE_PRECISION, right, 1, &
                      MPI_COMM_WORLD, status, ierr)
    temperature = wide(1:n) + 0.4_real64 * (wide(0:n - 1) - 2 * wide(1:n) + wide(2:n + 1))
  end subroutine

  ! The unbalanced phase, on all ranks: rank 0, which has all cells, submits them; the others work.
  subroutine react(phase)
    integer, intent(in) :: phase
    type(pp_server) :: server
    type(pp_future) :: future(cells)
    real(real64) :: result(3), burnt, hottest
    integer(int64) :: steps, most
    integer :: k
    server = pp_server_open_comm(MPI_COMM_WORLD)
    if (.not. pp_server_is_open(server)) return ! a rank that has served
    do k = 1, cells
      future(k) = pp_submit(server, burn_task, all(:, k))
    end do
    burnt = 0
    hottest = 0
    steps = 0
    most = 0
    do k = 1, cells
      call pp_fetch(future(k), result)
      all(:, k) = result(1:2)
      burnt = burnt + (1 - result(2)) / cells
      hottest = max(hottest, result(1))
      steps = steps + int(result(3), int64)
      most = max(most, int(result(3), int64))
    end do
    print '(a, i0, a, f6.3, a, f6.4, a, i0, a, i0, a)', 'phase ', phase, ': ', 100 * burnt, ' % burnt, hottest ', hottest, &
      ', ', steps, ' steps, ', most, ' of them in one cell'
    call pp_server_close(server)
  end subroutine
end program
