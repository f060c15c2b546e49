/*
 * Lease, fence, store, signal: how the engine keeps its promises when processes die, stand still or
 * are cut off at any moment.  README.md beside it says what is modelled and what is not.
 *
 * One instance with two nodes.  Node 1 calls the outside and waits for a signal (a call-back) that
 * may come at any time after the call, before the wait is stored too, and twice.  Node 2 calls.
 *
 * A process works on a copy; every transaction on the shared row is one atomic block, because that
 * is what PostgreSQL makes of it.
 */

#define PROCS 2
#define NOBODY 255
#define DEAD 254 /* owner of a lease whose process has ended */
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef STALLS
#define STALLS 1
#endif

#ifndef LOSSES
#define LOSSES 1 /* commits whose answer is lost, or that are lost themselves */
#endif

/* Two mistakes, to see that the laws notice: no fence, and no count of signals. */
#ifdef NO_FENCE
#define HOLDS(f) (true)
#else
#define HOLDS(f) (fence == f)
#endif
#ifdef NO_COUNT
#define UNREAD(n) (false)
#else
#define UNREAD(n) (count_ != n)
#endif

/* A third: the sender of an event looks whether the instance is open, and takes it later. */
#ifdef NO_LOCK
#define OPEN (open_seen)
#else
#define OPEN (!closed)
#endif

mtype = { ready, leased, gone };

/* ---- the tables: only ever touched inside one atomic block ---- */
mtype job = ready;
bool due = true;        /* due_on <= now() */
byte fence = 0;
byte owner = NOBODY;
bool expired = false;   /* lease_until < now() */
byte done_ = 0;         /* nodes completed in stored rows */
bool waits = false;     /* node 1 is stored as waiting */
byte signals = 0;       /* rows of instance_signals */
byte count_ = 0;        /* jobs.signals */
bool closed = false;
byte undecided = 0;     /* events that were acknowledged, and are neither worked on nor rejected */

/* ---- the outside ---- */
byte calls[3];          /* of node 1 and 2 */
bool key_done[3];       /* the completion of that node is stored */
byte told = 0;          /* signals sent, at most 2 */
bool called = false;
byte applied = 0;       /* how often a stored state took a signal as the answer of node 1 */

byte crashes = 0, stalls = 0, losses = 0;
bool stalled_once = false;

/* A process that ended takes its copy with it, and the one that follows has another name. */
inline die()
{
    d_step {
        crashes++;
        if
        :: owner == me -> owner = DEAD
        :: else -> skip
        fi
    };
    goto again
}

proctype core(byte me)
{
    byte my_fence, my_done, my_seen;
    bool my_waits, my_signal, ok;

again: skip;
    d_step { my_fence = 0; my_done = 0; my_seen = 0; my_waits = false; my_signal = false; ok = false };
    do
    /* claim: SELECT ... FOR UPDATE SKIP LOCKED, fence + 1, perhaps before it is due */
    :: atomic { job == ready && due && !closed ->
        job = leased; owner = me; expired = false; fence++; my_fence = fence; due = false
       };
       /* the rows are read when it starts; whoever has lost the lease meanwhile is refused later */
       if
       :: crashes < CRASHES -> die()
       :: d_step { my_done = done_; my_waits = waits; my_signal = (signals > 0); my_seen = count_ }
       fi;
       do
       :: crashes < CRASHES -> die()
       /* between two nodes: signals that came since are read too (a store tells of them) */
       :: atomic { UNREAD(my_seen) && HOLDS(my_fence) && !my_signal ->
            my_signal = (signals > 0); my_seen = count_ }
       :: my_done == 0 && !my_waits ->
           /* node 1: the call leaves first, then the wait is stored with the park */
           d_step { calls[1]++; called = true;
                    assert(!key_done[1] || stalled_once) };
           my_waits = true /* a signal that was read with the rows wakes it at once */
       :: my_done == 0 && my_waits && my_signal ->
           /* woken by the signal: the node completes; store with the deletion of the signals */
store1:    if
           :: crashes < CRASHES -> die()
           :: atomic { true ->
               ok = (job != gone && HOLDS(my_fence));
               if
               :: ok -> done_ = 1; waits = false; signals = 0; key_done[1] = true; applied++;
                        my_done = 1; my_waits = false; my_signal = false
               :: else -> skip
               fi }
           /* the connection is lost before the commit: once more */
           :: d_step { losses < LOSSES -> losses++ }; goto store1
           /* or behind it: stored again it is refused, and its rows are found under the same fence */
           :: atomic { losses < LOSSES && job != gone && HOLDS(my_fence) ->
               losses++; done_ = 1; waits = false; signals = 0; key_done[1] = true; applied++ };
              if
              :: crashes < CRASHES -> die()
              :: d_step { ok = (job != gone && HOLDS(my_fence) && done_ >= 1);
                   my_done = 1; my_waits = false; my_signal = false }
              fi
           fi;
           if :: !ok -> goto lost :: else fi
       :: my_done == 0 && my_waits && !my_signal -> goto park
       :: my_done == 1 ->
           /* node 2: call, then store and close in one transaction */
           d_step { calls[2]++; assert(!key_done[2] || stalled_once) };
           if
           :: crashes < CRASHES -> die()
           :: atomic { true ->
               ok = (job != gone && HOLDS(my_fence));
               if
               :: ok -> done_ = 2; key_done[2] = true; closed = true; signals = 0; undecided = 0; job = gone
               :: else -> skip
               fi }
           fi;
           goto lost
       od;
park:
       /* park: given back; due at once when signals came that were not read (jobs.signals differs) */
       if
       :: crashes < CRASHES -> die()
       :: atomic { true ->
           if
           :: job != gone && HOLDS(my_fence) ->
               waits = my_waits; done_ = my_done; job = ready; owner = NOBODY; expired = false;
               due = UNREAD(my_seen)
           :: else -> skip
           fi }
       fi;
lost:
       my_fence = 0
    :: atomic { closed -> break }
    od;
    skip
}

#ifdef EVENTS
/* An event, acknowledged when it is taken: its row and the count are one transaction. */
active proctype sender()
{
    bool open_seen;

end_sender:
    open_seen = !closed;
    atomic {
        if
        :: OPEN -> undecided++; count_++;
            if
            :: job == ready -> due = true
            :: else -> skip
            fi
        :: else -> skip /* refused */
        fi }
}

ltl decided { [] (!closed || undecided == 0) }
#endif

/* Leases of the dead run out, and those of the living who stand still or are cut off. */
active proctype clock_()
{
    do
    :: atomic { job == leased && !expired && owner == DEAD -> expired = true }
    :: atomic { job == leased && !expired && owner < PROCS && stalls < STALLS ->
        stalls++; stalled_once = true; expired = true }
    :: atomic { job == leased && expired -> job = ready; due = true; owner = NOBODY }
    :: atomic { closed -> break }
    od
}

/* The call-back: any time after the call, and once more. */
active proctype outside()
{
end_outside:
    do
    :: atomic { called && told < 2 && !closed ->
        told++; signals++; count_++;
        if
        :: job == ready -> due = true
        :: else -> skip
        fi }
    :: atomic { closed -> break }
    :: atomic { told == 2 -> break }
    od
}

init { atomic { byte i; for (i : 0 .. PROCS - 1) { run core(i) } } }

/* Never two completions of one node, and the answer is taken once. */
ltl once { [] (applied <= 1) }
/* Without a stalled process a node is called again only after a crash. */
ltl calls_have_reasons { [] (stalled_once || (calls[1] <= 1 + crashes && calls[2] <= 1 + crashes)) }
/* Nothing is lost: once the outside has answered the instance is closed. */
ltl ends { [] (told > 0 -> <> closed) }
