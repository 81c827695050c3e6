/* How far does a ball fly, and how does that change with the angle at which it is thrown? Automatic differentiation
 * answers both in one run: a dual number carries a value and its derivative through the computation, here through the
 * equations of motion with air drag. Structs are arguments and results like any number.
 *
 *     cc auto_diff.c $(pkg-config --cflags --libs ppmpi) -lm -o auto_diff
 */
#include <math.h>
#include <ppmpi.h>
#include <stdio.h>

struct dual {
    double value, derivative;
};

struct ball {
    double speed; /* m/s, when thrown */
    double drag;  /* 1/m: air slows it down by drag * speed^2 */
};

static struct dual number(double a)
{
    return (struct dual){a, 0.0};
}

static struct dual add(struct dual a, struct dual b)
{
    return (struct dual){a.value + b.value, a.derivative + b.derivative};
}

static struct dual subtract(struct dual a, struct dual b)
{
    return (struct dual){a.value - b.value, a.derivative - b.derivative};
}

static struct dual multiply(struct dual a, struct dual b)
{
    return (struct dual){a.value * b.value, a.derivative * b.value + a.value * b.derivative};
}

static struct dual divide(struct dual a, struct dual b)
{
    double ratio = a.value / b.value;

    return (struct dual){ratio, (a.derivative - ratio * b.derivative) / b.value};
}

static struct dual square_root(struct dual a)
{
    double root = sqrt(a.value);

    return (struct dual){root, a.derivative / (2.0 * root)};
}

static struct dual sine(struct dual a)
{
    return (struct dual){sin(a.value), a.derivative * cos(a.value)};
}

static struct dual cosine(struct dual a)
{
    return (struct dual){cos(a.value), -a.derivative * sin(a.value)};
}

/* Metres from throw to landing, by small steps in time. */
static struct dual distance(struct ball ball, struct dual angle)
{
    const struct dual step = number(1e-5), gravity = number(9.81); /* s, m/s^2 */
    struct dual x = number(0.0), y = number(0.0), old_x = x, old_y = y;
    struct dual u = multiply(number(ball.speed), cosine(angle)); /* velocity along x and y */
    struct dual v = multiply(number(ball.speed), sine(angle));

    while (y.value >= 0.0) {
        struct dual speed = square_root(add(multiply(u, u), multiply(v, v)));
        struct dual slower = subtract(number(1.0), multiply(step, multiply(number(ball.drag), speed)));

        old_x = x;
        old_y = y;
        u = multiply(u, slower);
        v = subtract(multiply(v, slower), multiply(step, gravity));
        x = add(x, multiply(step, u));
        y = add(y, multiply(step, v));
    }
    /* The ground lies between the last two points. */
    return add(old_x, multiply(subtract(x, old_x), divide(old_y, subtract(old_y, y))));
}
PP_TASK(struct dual, distance, struct ball, struct dual)

int main(int argc, char **argv)
{
    enum { FIRST = 20, LAST = 60, STEP = 2, TASKS = (LAST - FIRST) / STEP + 1 };
    const double degree = 3.14159265358979323846 / 180.0;
    const struct ball ball = {40.0, 0.005};
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    pp_future distances[TASKS];

    if (!server) {
        fprintf(stderr, "auto_diff: %s\n", pp_last_error());
        return 1;
    }

    for (int i = 0; i < TASKS; i++) {
        struct dual angle = {(FIRST + STEP * i) * degree, degree}; /* derivatives will be those by degrees */

        distances[i] = PP_SUBMIT(server, distance, ball, angle);
    }

    printf("degrees  distance in m  change in m per degree\n");
    for (int i = 0; i < TASKS; i++) {
        struct dual d = PP_FETCH(distance, distances[i]);

        printf("%7d %14.4f %23.4f\n", FIRST + STEP * i, d.value, d.derivative);
    }
    return pp_server_close(server) == PP_OK ? 0 : 1;
}
