! ranks: 2
! Ranks 0 to 7, sections of all shapes, components, derived types, allocatables, nothing, and a lot.
module shapes
  use check
  implicit none

  type, bind(C) :: particle
    real(c_double) :: x(3)
    integer(c_int) :: charge
  end type

  type :: cell ! plain, but not bind(C)
    character(len=5) :: name = ''
    complex :: z = 0
    logical :: on = .false.
  end type

contains

  ! Eight arguments of different type and rank; the sum of what is in them.
  subroutine eight_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer(int64) :: total
    integer(int8) :: a
    integer(int32) :: b(2), f(2, 2, 2)
    real(real64) :: c(2, 2)
    character(len=4) :: d
    type(particle) :: e
    complex(real32) :: g
    logical :: h(3)
    call pp_task_args(task, a, b, c, d, e, f, g, h)
    total = a + sum(b) + nint(sum(c)) + ichar(d(4:4)) + e%charge + sum(f) + nint(g%re + g%im) + count(h)
    call pp_task_return(task, total)
  end subroutine

  subroutine move_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    type(particle), allocatable :: p(:)
    real(real64) :: by(3)
    integer :: i
    allocate(p(pp_task_args_size(task, 1)))
    call pp_task_args(task, p, by)
    do i = 1, size(p)
      p(i)%x = p(i)%x + by
      p(i)%charge = -p(i)%charge
    end do
    call pp_task_return(task, p)
  end subroutine

  subroutine cell_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    type(cell) :: c
    call pp_task_args(task, c)
    c%name = c%name(2:5) // c%name(1:1)
    c%z = conjg(c%z)
    c%on = .not. c%on
    call pp_task_return(task, c)
  end subroutine

  ! n numbers, 10 MB of them and more.
  subroutine many_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer :: n, i
    real(real64), allocatable :: x(:)
    call pp_task_args(task, n)
    allocate(x(n))
    x = [(real(i, real64), i = 1, n)]
    call pp_task_return(task, x)
  end subroutine

  subroutine upper_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    character(len=:), allocatable :: text
    integer :: i
    allocate(character(len=pp_task_args_size(task, 1)) :: text)
    call pp_task_args(task, text)
    do i = 1, len(text)
      if (text(i:i) >= 'a' .and. text(i:i) <= 'z') text(i:i) = achar(iachar(text(i:i)) - 32)
    end do
    call pp_task_return(task, text)
  end subroutine

  subroutine sizes_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    integer(c_size_t) :: n(3)
    n = [integer(c_size_t) :: pp_task_args_size(task, 1), pp_task_args_size(task, 2), pp_task_args_bytes(task, 3)]
    call pp_task_return(task, n)
  end subroutine

  ! Elements of its single argument, of any type and kind.
  subroutine count_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    call pp_task_return(task, pp_task_args_size(task, 1))
  end subroutine

  ! The same, for more elements than a default integer can count.
  subroutine long_count_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    call pp_task_return(task, pp_task_args_size(task, 1_int64))
  end subroutine

  ! 12 characters, whatever they were before.
  subroutine cut_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    character(len=4) :: words(3)
    call pp_task_args(task, words)
    call pp_task_return(task, words(3) // words(2) // words(1))
  end subroutine

  ! A result in place, and one that replaces another.
  subroutine in_place_task(task) bind(C, name='')
    type(pp_task), intent(inout) :: task
    type(c_ptr) :: address
    integer(int32), pointer :: x(:)
    integer(c_int) :: ierr
    call pp_task_return(task, [1, 2, 3, 4, 5])
    call pp_task_result(task, 12_c_size_t, address, ierr=ierr)
    call c_f_pointer(address, x, [3])
    x(2) = 20 + ierr
  end subroutine

  ! An assumed-shape dummy, and what is passed on from it.
  subroutine passed_on(server, a, c)
    type(pp_server), intent(in) :: server
    integer, intent(in) :: a(:, 0:)
    character(len=*), intent(in) :: c(:)
    integer :: back(size(a, 1), size(a, 2))
    character(len=len(c)) :: c_back(size(c))
    call pp_fetch(pp_submit(server, echo_task, a), back)
    call claim(all(back == a), 'assumed-shape array')
    call pp_fetch(pp_submit(server, echo_task, c), c_back)
    call claim(all(c_back == c), 'assumed-length strings')
    call pp_fetch(pp_submit(server, echo_task, a(::2, 1)), back(::2, 2))
    call claim(all(back(::2, 2) == a(::2, 1)), 'section of an assumed-shape array')
  end subroutine

  subroutine ranks(server)
    type(pp_server), intent(in) :: server
    integer :: i
    integer :: r0, r1(3), r2(3, 2), r3(2, 3, 2), r4(2, 2, 2, 2), r5(2, 1, 2, 3, 2), r6(2, 2, 1, 2, 2, 2), r7(2, 3, 1, 2, 2, 2, 2)
    integer :: back(96), b7(2, 3, 1, 2, 2, 2, 2), big(4, 6, 2, 4, 4, 4, 4)
    integer, parameter :: from(96) = [(i, i = 1, 96)]
    r0 = 7; r1 = from(:3); r2 = reshape(from, shape(r2)); r3 = reshape(from, shape(r3)); r4 = reshape(from, shape(r4))
    r5 = reshape(from, shape(r5)); r6 = reshape(from, shape(r6)); r7 = reshape(from, shape(r7))
    call pp_fetch(pp_submit(server, echo_task, r0), back(1))
    call claim(back(1) == 7, 'rank 0')
    call pp_fetch(pp_submit(server, echo_task, r1), back(:3))
    call claim(all(back(:3) == from(:3)), 'rank 1')
    call pp_fetch(pp_submit(server, echo_task, r2), back(:6))
    call claim(all(back(:6) == from(:6)), 'rank 2')
    call pp_fetch(pp_submit(server, echo_task, r3), back(:12))
    call claim(all(back(:12) == from(:12)), 'rank 3')
    call pp_fetch(pp_submit(server, echo_task, r4), back(:16))
    call claim(all(back(:16) == from(:16)), 'rank 4')
    call pp_fetch(pp_submit(server, echo_task, r5), back(:24))
    call claim(all(back(:24) == from(:24)), 'rank 5')
    call pp_fetch(pp_submit(server, echo_task, r6), back(:32))
    call claim(all(back(:32) == from(:32)), 'rank 6')
    call pp_fetch(pp_submit(server, echo_task, r7), back(:96))
    call claim(all(back == from), 'rank 7')
    ! Sections with a stride in every dimension, out and in.
    big = 0
    call pp_fetch(pp_submit(server, echo_task, r7), big(4:1:-3, ::2, 2:2, ::3, 1:4:2, :2, 3:))
    call claim(sum(big) == sum(from), 'into a section of rank 7: nothing beside it')
    call pp_fetch(pp_submit(server, echo_task, big(4:1:-3, ::2, 2:2, ::3, 1:4:2, :2, 3:)), b7)
    call claim(all(b7 == r7), 'section of rank 7')
    call pp_fetch(pp_submit(server, echo_task, r7(:, :, :, 2, :, 1, :)), back(:24))
    call claim(all(back(:24) == reshape(r7(:, :, :, 2, :, 1, :), [24])), 'rank 5 of rank 7')
  end subroutine

  subroutine parts(server)
    type(pp_server), intent(in) :: server
    type(particle) :: p(4), q(4)
    type(cell) :: c
    complex(real64) :: z(3)
    character(len=6) :: s(3) = ['abcdef', 'ghijkl', 'mnopqr'], t(3)
    real(real64) :: x(4), re(3)
    integer :: i, list(6) = [1, 2, 3, 4, 5, 6], chosen(3)
    do i = 1, 4
      p(i) = particle([1, 2, 3] * real(i, c_double), i)
    end do
    call pp_fetch(pp_submit(server, move_task, p, [10.0_real64, 20.0_real64, 30.0_real64]), q)
    call claim(all(q%charge == -p%charge) .and. all(q%x(2) == p%x(2) + 20), 'bind(C) derived type')
    call pp_fetch(pp_submit(server, move_task, p(4:1:-2), [0.0_real64, 0.0_real64, 0.0_real64]), q(1:2))
    call claim(q(1)%charge == -4 .and. q(2)%charge == -2, 'section of derived type')
    call pp_fetch(pp_submit(server, echo_task, p%x(3)), x)
    call claim(all(x == p%x(3)), 'component of an array')
    call pp_fetch(pp_submit(server, echo_task, [5, 6, 7, 8]), q%charge)
    call claim(all(q%charge == [5, 6, 7, 8]), 'into a component of an array')
    call pp_fetch(pp_submit(server, cell_task, cell('hallo', (1, 2), .true.)), c)
    call claim(c%name == 'alloh' .and. c%z == (1, -2) .and. .not. c%on, 'plain derived type')
    z = [(1, 2), (3, 4), (5, 6)]
    call pp_fetch(pp_submit(server, echo_task, z%im), re)
    call claim(all(re == [2, 4, 6]), 'imaginary parts')
    t = '......'
    call pp_fetch(pp_submit(server, echo_task, s(:)(2:3)), t(:)(5:6))
    call claim(all(t == ['....bc', '....hi', '....no']), 'substrings of an array')
    call pp_fetch(pp_submit(server, echo_task, [list([6, 2, 4])]), chosen)
    call claim(all(chosen == [6, 2, 4]), 'vector subscript')
    call pp_fetch(pp_submit(server, echo_task, (list([5, 1, 1]))), chosen)
    call claim(all(chosen == [5, 1, 1]), 'vector subscript in brackets')
    call pp_fetch(pp_submit(server, echo_task, 2 * list(1:3) + 1), chosen)
    call claim(all(chosen == [3, 5, 7]), 'expression')
  end subroutine

  subroutine allocatables(server)
    type(pp_server), intent(in) :: server
    real(real64), allocatable :: x(:), big(:)
    real(real64), allocatable, save :: nothing(:)
    real(real64), pointer :: p(:)
    character(len=:), allocatable :: s
    integer(int32), allocatable :: none(:)
    integer(int64) :: total
    character(len=12) :: twelve
    integer(c_size_t) :: sizes(3)
    integer :: n, three(3)
    integer(c_int) :: ierr
    type(pp_future) :: f
    allocate(x(5), source=1.5_real64)
    call pp_fetch(pp_submit(server, echo_task, 2 * x), x)
    call claim(all(x == 3), 'allocatable array')
    allocate(p(10), source=4.0_real64)
    call pp_fetch(pp_submit(server, echo_task, p(:10:2)), x)
    call claim(all(x == 4), 'section of a pointer')
    deallocate(p)
    s = 'deferred length'
    f = pp_submit(server, upper_task, s)
    call claim(pp_result_size(f) == len(s), 'pp_result_size')
    call pp_fetch(f, s)
    call claim(s == 'DEFERRED LENGTH', 'deferred-length string')
    f = pp_submit(server, upper_task, '')
    call pp_fetch(f, s(1:0))
    call pp_fetch(pp_submit(server, upper_task, 'literal'), s(1:7))
    call claim(s(1:7) == 'LITERAL', 'literal')
    allocate(none(0))
    call pp_fetch(pp_submit(server, echo_task, none), none)
    call claim(size(none) == 0, 'zero-size array, alone')
    call pp_fetch(pp_submit(server, sizes_task, x, none, 'abc'), sizes)
    call claim(all(sizes == [5, 0, 3]), 'sizes, one of them zero')
    call pp_fetch(pp_submit(server, count_task, x), n)
    call claim(n == 5, 'elements of a single argument')
    call pp_fetch(pp_submit(server, count_task, x(1:0)), n)
    call claim(n == 0, 'elements of a single argument of size zero')
    call pp_fetch(pp_submit(server, count_task, reshape([1_int8, 2_int8, 3_int8, 4_int8, 5_int8, 6_int8], [2, 3])), n)
    call claim(n == 6, 'elements of a single matrix of bytes')
    call pp_fetch(pp_submit(server, count_task, (1.0_real128, 2.0_real128)), n)
    call claim(n == 1, 'elements of a scalar')
    call pp_fetch(pp_submit(server, count_task, ['abc', 'def', 'ghi', 'jkl']), n)
    call claim(n == 4, 'elements of an array of strings')
    call pp_fetch(pp_submit(server, count_task, [repeat('a', 9000000), repeat('b', 9000000)]), n)
    call claim(n == 2, 'elements of an array of long strings')
    call pp_fetch(pp_submit(server, count_task, ''), n)
    call claim(n == 0, 'elements of an empty string')
    call pp_fetch(pp_submit(server, count_task, 'a string'), n)
    call claim(n == 8, 'elements of a string')
    call pp_fetch(pp_submit(server, count_task, 4_'wide'), n)
    call claim(n == 4, 'elements of a string of wide characters')
    call pp_map(server, count_task, ['abc', 'def', 'ghi'], three)
    call claim(all(three == 3), 'elements of strings that are items')
    call pp_map(server, count_task, reshape([1, 2, 3, 4, 5, 6], [2, 3]), three)
    call claim(all(three == 2), 'elements of columns that are items')
    call pp_fetch(pp_submit(server, long_count_task, x), total)
    call claim(total == 5, 'elements, as a long integer')
    call pp_fetch(pp_submit(server, cut_task, 'abcdefghijkl'), twelve)
    call claim(twelve == 'ijklefghabcd', 'a string as words')
    call pp_fetch(pp_submit(server, cut_task, ['ab', 'cd', 'ef', 'gh', 'ij', 'kl']), twelve)
    call claim(twelve == 'ijklefghabcd', 'words as longer words')
    call pp_fetch(pp_submit(server, in_place_task), three)
    call claim(all(three == [1, 20, 3]), 'result in place')
    total = 0
    call pp_fetch(pp_submit(server, eight_task, 1_int8, [2, 3], reshape([1.d0, 2.d0, 3.d0, 4.d0], [2, 2]), 'abcd', &
                            particle([0, 0, 0], 5), reshape([1, 2, 3, 4, 5, 6, 7, 8], [2, 2, 2]), (6.0, 7.0), &
                            [.true., .false., .true.]), total)
    call claim(total == 1 + 5 + 10 + 100 + 5 + 36 + 13 + 2, 'eight arguments')
    n = 1500000
    allocate(big(n), source=0.0_real64)
    f = pp_submit(server, many_task, n)
    call pp_fetch(f, big)
    call claim(big(1) == 1 .and. big(n) == n .and. sum(big) == n * (n + 1.0_real64) / 2, 'a result of 12 MB')
    call pp_fetch(pp_submit(server, echo_task, big), big(n:1:-1))
    call claim(big(1) == n .and. big(n) == 1, '12 MB there and back, reversed')
    f = pp_submit(server, echo_task, nothing, 1, ierr=ierr)
    call claim_status(ierr, PP_ERR_ARG, 'an unallocated argument before another')
    call claim(f == PP_NULL_FUTURE, 'no future of a submission that failed')
    f = pp_submit(server, count_task, x)
    call pp_fetch(f, nothing, ierr=ierr)
    call claim_status(ierr, PP_ERR_SIZE, 'fetching into what is not allocated')
    call pp_release(f)
  end subroutine
end module

program test_shapes
  use shapes
  implicit none
  type(pp_server) :: server
  integer :: a(5, 0:4), i
  server = pp_server_open()
  a = reshape([(i, i = 1, 25)], [5, 5])
  call passed_on(server, a, ['one  ', 'two  ', 'three'])
  call passed_on(server, a(5:1:-2, ::2), ['x', 'y'])
  call ranks(server)
  call parts(server)
  call allocatables(server)
  call pp_server_close(server)
  call conclude(50)
end program
