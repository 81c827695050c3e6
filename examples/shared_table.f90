! Where in a genome does a short read come from? Sequencing machines give millions of reads; each is looked up in an index
! of the whole genome, which is large, the same for all, and only read: data to be shared. It is sent once to every node,
! and lies there once, however many workers use it.
!
! Genome and reads are made up here: a genome of a million bases, 20,000 reads of 80 bases from places that are then
! forgotten, one base in eight read wrong.
!
!     gfortran shared_table.f90 $(pkg-config --cflags --libs ppmpi-fortran) -o shared_table
module genomes
  use ppmpi
  use, intrinsic :: iso_c_binding, only: c_f_pointer, c_int8_t, c_int32_t, c_ptr, c_size_t
  implicit none

  integer, parameter :: bases = 1000000, word = 10, words = 4**word, length = 80, batch = 100, batches = 200, tolerance = 16

  ! One piece of memory without pointers: it is used as it lies. Places count from 0.
  type, bind(C) :: genome_index
    integer(c_int8_t)  :: base(0:bases - 1)      ! 0 … 3 for A, C, G, T
    integer(c_int32_t) :: first(0:words - 1)     ! place of a word of ten bases,
    integer(c_int32_t) :: next(0:bases - 1)      ! … and the next place of the word that is here; -1: no more
  end type

contains

  pure integer function word_of(base)
    integer(c_int8_t), intent(in) :: base(word)
    integer :: i
    word_of = 0
    do i = 1, word
      word_of = 4 * word_of + base(i)
    end do
  end function

  ! Every place that has one of the read's words is compared with the whole read; the best one counts. -1: not found.
  integer(c_int32_t) function find(genome, read) result(best)
    type(genome_index), intent(in) :: genome
    integer(c_int8_t), intent(in) :: read(length)
    integer :: at, fewest, n, p, start
    fewest = tolerance + 1
    best = -1
    do at = 0, length - word, word
      p = genome%first(word_of(read(at + 1:at + word)))
      do while (p >= 0)
        start = p - at
        p = genome%next(p)
        if (start < 0 .or. start > bases - length) cycle
        n = count(genome%base(start:start + length - 1) /= read)
        if (n >= fewest) cycle
        fewest = n
        best = start
      end do
    end do
  end function

  ! The task: a hundred reads are its own, the index is everybody's.
  subroutine find_reads_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    type(pp_shared) :: shared
    type(c_ptr) :: address
    integer(c_size_t) :: bytes
    type(genome_index), pointer :: genome
    integer(c_int8_t) :: reads(length, batch)
    integer(c_int32_t) :: place(batch)
    integer :: i
    call pp_task_args(task, shared, reads)
    call pp_shared_data(shared, address, bytes)
    call c_f_pointer(address, genome)
    do i = 1, batch
      place(i) = find(genome, reads(:, i))
    end do
    call pp_task_return(task, place)
  end subroutine
end module

program shared_table
  use genomes
  use, intrinsic :: iso_fortran_env, only: int64
  implicit none
  type(pp_server) :: server
  type(pp_shared) :: shared
  type(pp_future) :: found(batches)
  type(genome_index), allocatable :: genome
  integer(c_int8_t) :: reads(length, batch)
  integer(c_int32_t) :: from(batch, batches), place(batch)
  integer(int64) :: state = 20010911
  integer :: b, right, wrong, missing

  server = pp_server_open()
  allocate(genome)
  call make_index() ! after the server was opened: the workers do not have it
  call pp_share(server, genome, shared)

  do b = 1, batches
    call make_reads(from(:, b))
    found(b) = pp_submit(server, find_reads_task, shared, reads)
  end do
  call pp_unshare(server, shared) ! when those have finished

  right = 0
  wrong = 0
  missing = 0
  do b = 1, batches
    call pp_fetch(found(b), place)
    right = right + count(place == from(:, b))
    wrong = wrong + count(place >= 0 .and. place /= from(:, b))
    missing = missing + count(place < 0)
  end do
  print '(a, i0, a, i0, a)', 'index of ', storage_size(genome) / 8, ' bytes, ', batch * batches, ' reads'
  print '(i0, a, i0, a, i0, a)', right, ' found where they came from, ', wrong, ' elsewhere, ', missing, ' nowhere'
  call pp_server_close(server)

contains

  integer function random_below(n)
    integer, intent(in) :: n
    state = mod(state * 48271, 2147483647_int64) ! Park and Miller: good enough for a genome of nobody's
    random_below = int(mod(state, int(n, int64)))
  end function

  subroutine make_index()
    integer :: i, w
    genome%first = -1
    genome%next = -1
    do i = 0, bases - 1
      genome%base(i) = int(random_below(4), c_int8_t)
    end do
    do i = bases - word, 0, -1
      w = word_of(genome%base(i:i + word - 1))
      genome%next(i) = genome%first(w)
      genome%first(w) = i
    end do
  end subroutine

  subroutine make_reads(from)
    integer(c_int32_t), intent(out) :: from(batch)
    integer :: i, k
    do i = 1, batch
      from(i) = random_below(bases - length)
      do k = 1, length
        if (random_below(6) > 0) then
          reads(k, i) = genome%base(from(i) + k - 1)
        else
          reads(k, i) = int(random_below(4), c_int8_t)
        end if
      end do
    end do
  end subroutine
end program
