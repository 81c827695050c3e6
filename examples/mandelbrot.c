/* The Mandelbrot set as a picture. Each row of pixels is a task, which returns its pixels as an array; rows take very
 * different times, and whoever has nothing to do takes the next. `mandelbrot FILE` names the picture.
 *
 *     cc mandelbrot.c $(pkg-config --cflags --libs ppmpi libpng) -o mandelbrot            (Debian: libpng-dev)
 */
#include <png.h>
#include <ppmpi.h>
#include <stdio.h>
#include <string.h>

enum { WIDTH = 600, HEIGHT = 400, STEPS = 1000 };

struct pixel {
    unsigned char red, green, blue;
};

/* Black within the set; outside, the colour tells how soon the point is known to be there. */
static struct pixel colour(double x, double y)
{
    double re = 0.0, im = 0.0;

    for (int step = 0; step < STEPS; step++) {
        double re2 = re * re, im2 = im * im;

        if (re2 + im2 > 4.0) {
            int shade = 16 * (step % 16);

            return (struct pixel){(unsigned char)(shade / 2), (unsigned char)shade, 255};
        }
        im = 2.0 * re * im + y;
        re = re2 - im2 + x;
    }
    return (struct pixel){0, 0, 0};
}

static pp_bytes row(int j)
{
    size_t bytes = WIDTH * sizeof(struct pixel);
    struct pixel *pixels = pp_task_alloc(bytes);

    if (!pixels) {
        pp_task_fail(pp_task_current(), 1, "no memory for row %d", j);
        return (pp_bytes){NULL, 0};
    }
    for (int i = 0; i < WIDTH; i++)
        pixels[i] = colour(-2.25 + 0.005 * (i + 0.5), -1.0 + 0.005 * (j + 0.5));
    return (pp_bytes){pixels, bytes};
}
PP_TASK(pp_bytes, row, int)

int main(int argc, char **argv)
{
    pp_server *server = pp_server_open(&argc, &argv, NULL);
    const char *file = argc > 1 ? argv[1] : "mandelbrot.png";
    static struct pixel image[HEIGHT][WIDTH];
    png_image png = {.version = PNG_IMAGE_VERSION, .width = WIDTH, .height = HEIGHT, .format = PNG_FORMAT_RGB};
    pp_future rows[HEIGHT];
    int inside = 0;

    if (!server) {
        fprintf(stderr, "mandelbrot: %s\n", pp_last_error());
        return 1;
    }

    for (int j = 0; j < HEIGHT; j++)
        rows[j] = PP_SUBMIT(server, row, j);
    for (int j = 0; j < HEIGHT; j++) {
        pp_bytes pixels = PP_FETCH(row, rows[j]);

        memcpy(image[j], pixels.data, sizeof image[j]);
        pp_bytes_free(pixels);
    }
    if (pp_server_close(server) != PP_OK) {
        fprintf(stderr, "mandelbrot: %s\n", pp_last_error());
        return 1;
    }

    if (!png_image_write_to_file(&png, file, 0, image, 0, NULL)) {
        fprintf(stderr, "mandelbrot: %s: %s\n", file, png.message);
        return 1;
    }
    for (int j = 0; j < HEIGHT; j++)
        for (int i = 0; i < WIDTH; i++)
            inside += image[j][i].blue == 0;
    printf("%d x %d pixels, %d of them in the Mandelbrot set\n", WIDTH, HEIGHT, inside);
    return 0;
}
