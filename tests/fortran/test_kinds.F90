! ranks: 2
! Scalars, arrays and sections of every kind there is travel there and back, alone and among several arguments.
module kinds
  use check
  implicit none
contains
  character(len=7) function text(k)
    integer, intent(in) :: k
    write(text, '(i7.7)') k * 7919
    text = text(7:7) // text(6:6) // text(5:5) // text(1:4)
  end function

  character(len=1) function letter(k)
    integer, intent(in) :: k
    letter = achar(96 + k)
  end function

  character(kind=4, len=3) function wide(k)
    integer, intent(in) :: k
    wide = char(8364 + k, 4) // char(65 + mod(k, 26), 4) // char(128512 + k, 4)
  end function

#define NAME kind_i1
#define TYPE integer(int8)
#define WHAT 'integer(int8)'
#define VALUE int(k, int8)
#define EQ ==
#include "kind.inc"

#define NAME kind_i2
#define TYPE integer(int16)
#define WHAT 'integer(int16)'
#define VALUE int(k, int16)
#define EQ ==
#include "kind.inc"

#define NAME kind_i4
#define TYPE integer(int32)
#define WHAT 'integer(int32)'
#define VALUE int(k, int32)
#define EQ ==
#include "kind.inc"

#define NAME kind_i8
#define TYPE integer(int64)
#define WHAT 'integer(int64)'
#define VALUE int(k, int64)
#define EQ ==
#include "kind.inc"

#define NAME kind_r4
#define TYPE real(real32)
#define WHAT 'real(real32)'
#define VALUE real(k, real32)
#define EQ ==
#include "kind.inc"

#define NAME kind_r8
#define TYPE real(real64)
#define WHAT 'real(real64)'
#define VALUE real(k, real64)
#define EQ ==
#include "kind.inc"

#ifdef __GFC_REAL_10__
#define NAME kind_r10
#define TYPE real(10)
#define WHAT 'real(10)'
#define VALUE real(k, 10)
#define EQ ==
#include "kind.inc"
#endif

#define NAME kind_r16
#define TYPE real(real128)
#define WHAT 'real(real128)'
#define VALUE real(k, real128)
#define EQ ==
#include "kind.inc"

#define NAME kind_c4
#define TYPE complex(real32)
#define WHAT 'complex(real32)'
#define VALUE cmplx(k, -k, real32)
#define EQ ==
#include "kind.inc"

#define NAME kind_c8
#define TYPE complex(real64)
#define WHAT 'complex(real64)'
#define VALUE cmplx(k, -k, real64)
#define EQ ==
#include "kind.inc"

#define NAME kind_c16
#define TYPE complex(real128)
#define WHAT 'complex(real128)'
#define VALUE cmplx(k, -k, real128)
#define EQ ==
#include "kind.inc"

#define NAME kind_l1
#define TYPE logical(1)
#define WHAT 'logical(1)'
#define VALUE logical(mod(k, 3) == 0, 1)
#define EQ .eqv.
#include "kind.inc"

#define NAME kind_l2
#define TYPE logical(2)
#define WHAT 'logical(2)'
#define VALUE logical(mod(k, 3) == 0, 2)
#define EQ .eqv.
#include "kind.inc"

#define NAME kind_l4
#define TYPE logical(4)
#define WHAT 'logical(4)'
#define VALUE logical(mod(k, 3) == 0, 4)
#define EQ .eqv.
#include "kind.inc"

#define NAME kind_l8
#define TYPE logical(8)
#define WHAT 'logical(8)'
#define VALUE logical(mod(k, 3) == 0, 8)
#define EQ .eqv.
#include "kind.inc"

#define NAME kind_s1
#define TYPE character(len=1)
#define WHAT 'character(len=1)'
#define VALUE letter(k)
#define EQ ==
#include "kind.inc"

#define NAME kind_s7
#define TYPE character(len=7)
#define WHAT 'character(len=7)'
#define VALUE text(k)
#define EQ ==
#include "kind.inc"

#define NAME kind_u3
#define TYPE character(kind=4, len=3)
#define WHAT 'character(kind=4, len=3)'
#define VALUE wide(k)
#define EQ ==
#include "kind.inc"

end module

program test_kinds
  use kinds
  implicit none
  type(pp_server) :: server
  server = pp_server_open()
  call kind_i1(server)
  call kind_i2(server)
  call kind_i4(server)
  call kind_i8(server)
  call kind_r4(server)
  call kind_r8(server)
#ifdef __GFC_REAL_10__
  call kind_r10(server)
#endif
  call kind_r16(server)
  call kind_c4(server)
  call kind_c8(server)
  call kind_c16(server)
  call kind_l1(server)
  call kind_l2(server)
  call kind_l4(server)
  call kind_l8(server)
  call kind_s1(server)
  call kind_s7(server)
  call kind_u3(server)
  call pp_server_close(server)
  call conclude(102)
end program
