# To be read by the tests of what is installed, which have set build, scratch and cmake: installs into a folder and moves it.
# Sets prefix and version, and has fail and check.
: "${CC:=cc}"
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")

fail()
{
    echo "install: $*" >&2
    exit 1
}

# What the program prints is the result of its task and the library's version.
check()
{
    printed=$("$2") || fail "$1: exit status $?"
    [ "$printed" = "42 $version" ] || fail "$1: printed '$printed', expected '42 $version'"
    echo "$1: ok"
}

rm -rf "$scratch"
mkdir -p "$scratch"
"$cmake" --install "$build" --prefix "$scratch/before" > "$scratch/install.log" || fail "see $scratch/install.log"
mv "$scratch/before" "$scratch/prefix" # a package that knows its old place fails from here on
prefix=$scratch/prefix
