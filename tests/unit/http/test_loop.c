/*
 * The event loop: timers in order, calls from other threads, watches given up in the middle of a
 * turn.
 */
#include "support/cases.h"

#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "http/loop.h"

struct world {
    struct loop *l;
    char log[256];
    size_t n;
    struct loop_timer *timers[8];
    struct loop_watch *watches[2];
    int fds[2][2];
    int posted;
    int freed;
};

static void note(struct world *w, char ch)
{
    if (w->n + 1 < sizeof(w->log))
        w->log[w->n++] = ch;
    w->log[w->n] = '\0';
}

static void setup(struct world *w)
{
    memset(w, 0, sizeof(*w));
    w->l = loop_new();
}

/* ---- timers
 * -------------------------------------------------------------------------------------- */

static void note_a(void *arg)
{
    note(arg, 'a');
}

static void note_b(void *arg)
{
    note(arg, 'b');
}

static void note_c(void *arg)
{
    note(arg, 'c');
}

static void note_end(void *arg)
{
    struct world *w = arg;

    note(w, '.');
    loop_stop(w->l);
}

static void timers_in_order(void **state)
{
    struct world w;
    struct loop_timer *moved, *dropped;

    (void)state;
    setup(&w);
    loop_timer(w.l, 30, note_end, &w);
    loop_timer(w.l, 10, note_b, &w);
    moved = loop_timer(w.l, 1, note_c, &w);
    dropped = loop_timer(w.l, 5, note_a, &w);
    loop_timer(w.l, 2, note_a, &w);
    loop_timer_again(moved, 20);
    loop_timer_cancel(dropped);
    loop_timer_cancel(NULL);
    loop_run(w.l);
    assert_string_equal(w.log, "abc.");
    loop_free(w.l);
}

static void count_up(void *arg)
{
    struct world *w = arg;

    w->posted++;
}

static void many_timers(void **state)
{
    struct world w;
    struct loop_timer *timers[500];

    (void)state;
    setup(&w);
    for (int i = 0; i < 500; i++)
        timers[i] = loop_timer(w.l, (i * 7919) % 20, count_up, &w);
    for (int i = 0; i < 500; i += 2)
        loop_timer_cancel(timers[i]);
    loop_timer(w.l, 25, note_end, &w);
    loop_run(w.l);
    assert_int_equal(w.posted, 250);
    loop_free(w.l);
}

static void again(void *arg)
{
    struct world *w = arg;

    note(w, 'r');
    if (w->n < 3)
        loop_timer_again(w->timers[0], 1);
}

static void cancels_itself(void *arg)
{
    struct world *w = arg;

    note(w, 'x');
    loop_timer_cancel(w->timers[1]);
}

static void timers_inside_call_backs(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    w.timers[0] = loop_timer(w.l, 1, again, &w);
    w.timers[1] = loop_timer(w.l, 15, cancels_itself, &w);
    loop_timer(w.l, 30, note_end, &w);
    loop_run(w.l);
    assert_string_equal(w.log, "rrrx.");
    loop_free(w.l);
}

/* ---- calls
 * ------------------------------------------------------------------------------------------ */

enum { POSTS = 20000 };

static void posted(void *arg)
{
    struct world *w = arg;

    if (!loop_is_current(w->l))
        abort();
    if (++w->posted == 2 * POSTS)
        loop_stop(w->l);
}

static void *poster(void *arg)
{
    struct world *w = arg;

    if (loop_is_current(w->l))
        abort();
    for (int i = 0; i < POSTS; i++)
        loop_post(w->l, posted, w);
    return NULL;
}

static void posts_from_threads(void **state)
{
    struct world w;
    pthread_t t[2];

    (void)state;
    setup(&w);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&t[i], NULL, poster, &w), 0);
    loop_run(w.l);
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(w.posted, 2 * POSTS);
    loop_free(w.l);
}

static void post_late(void *arg)
{
    struct world *w = arg;

    loop_stop(w->l);
    loop_post(w->l, note_a, w);
}

static void posts_before_the_stop_run(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    loop_post(w.l, post_late, &w);
    loop_run(w.l);
    assert_string_equal(w.log, "a");
    loop_free(w.l);
}

/* ---- watches
 * ---------------------------------------------------------------------------------------- */

/* Both pipes are readable in one turn; whoever comes first gives up both. */
static void gives_up_both(void *arg, uint32_t revents)
{
    struct world *w = arg;

    assert_true((revents & EPOLLIN) != 0);
    note(w, 'w');
    loop_unwatch(w->watches[0]);
    loop_unwatch(w->watches[1]);
    /* A new watch must not be mistaken for the one given up. */
    w->watches[0] = loop_watch(w->l, w->fds[0][1], EPOLLERR, gives_up_both, w);
    loop_timer(w->l, 5, note_end, w);
}

static void unwatch_inside_a_turn(void **state)
{
    struct world w;

    (void)state;
    setup(&w);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(w.fds[i]), 0);
        assert_int_equal(write(w.fds[i][1], "x", 1), 1);
        w.watches[i] = loop_watch(w.l, w.fds[i][0], EPOLLIN, gives_up_both, &w);
    }
    loop_run(w.l);
    assert_string_equal(w.log, "w.");
    loop_unwatch(w.watches[0]);
    loop_unwatch(NULL);
    for (int i = 0; i < 2; i++) {
        close(w.fds[i][0]);
        close(w.fds[i][1]);
    }
    loop_free(w.l);
}

static void slot_freed(void *value)
{
    struct world *w = value;

    w->freed++;
}

static void slots(void **state)
{
    static const char key_a, key_b;
    struct world w;

    (void)state;
    setup(&w);
    assert_null(loop_slot(w.l, &key_a));
    loop_slot_set(w.l, &key_a, &w, slot_freed);
    loop_slot_set(w.l, &key_b, &w, slot_freed);
    assert_ptr_equal(loop_slot(w.l, &key_a), &w);
    loop_slot_set(w.l, &key_b, NULL, NULL);
    loop_free(w.l);
    assert_int_equal(w.freed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_in_order),
        cmocka_unit_test(many_timers),
        cmocka_unit_test(timers_inside_call_backs),
        cmocka_unit_test(posts_from_threads),
        cmocka_unit_test(posts_before_the_stop_run),
        cmocka_unit_test(unwatch_inside_a_turn),
        cmocka_unit_test(slots),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
