/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* lease.pml - the life of keys: enqueue, lease, renew, done, fail, release, expiry, reconcile.
 *
 * Two workers share KEYS keys (two) while at most FAULTS things go wrong, each of them any of these,
 * at any moment: a worker dies; it is told to leave; it stalls (its lease is taken back, and it
 * knows nothing of it and goes on later); a request to Redis is lost, or its answer, or it arrives
 * when the caller has long repeated it; an answer of the store is lost; Redis goes back to an
 * earlier state, the empty one included; a reconcile begins to compare and to move.
 *
 * What must hold (test_model.py runs all of it, README.md tells how to read it):
 *
 *   a key is in exactly one place, and its record says in which       sound()
 *   a key that is done has its result in the store                    sound()
 *   a result that was accepted is never replaced by another           put()
 *   done is only said of the result that is there                     script_done()
 *   who holds no lease of a key changes nothing about it              may_act()
 *   what reconcile has seen of an earlier lease moves no key          script_move()
 *   no budget is exceeded                                             sound()
 *   with a living worker every key is done or failed in the end       ltl settles
 *
 * LEFT OUT, AND WHY THAT HIDES NOTHING
 *
 * Time. A lease may run out at any moment, also under a worker that renews in time: that costs a
 * fault, as there are finitely many of them. The lease of a worker that is no more runs out without
 * cost, and so does the wait of a delayed key. Workers do not look at their own clocks before they
 * upload (the code does), so everything that a stalled worker might do is here.
 *
 * Tokens. A token is sequence and random; here a grant is a small number that nobody remembers,
 * which is what random means. The sequence alone is what MISTAKE_SEQUENCE_TOKENS tries.
 *
 * Many keys in one call. Scripts decide about each key from its own record, so a worker that holds
 * sixteen keys is like sixteen that hold one. Here each holds one. That a suspect key is leased
 * alone, the order of keys, pause and cancel decide who works on a key and when, not what may
 * happen to it.
 *
 * Calls that find nothing to lease. They change nothing that is modelled, so that a worker asks
 * when there is something for it.
 *
 * Settling: settle.pml. */

#ifndef KEYS
#define KEYS 2
#endif
#ifndef FAULTS
#define FAULTS 2
#endif
#define WORKERS 2
#define OTHER(k) (KEYS - 1 - (k))
#define MAX_ATTEMPTS 2
#define MAX_INTERRUPTIONS 1

/* ---- Redis ---- */

/* Where a key is. ABSENT: Redis does not know it. */
#define ABSENT 0
#define PENDING 1
#define DELAYED 2
#define LEASED 3
#define DONE 4
#define FAILED 5
#define IN(place) (1 << (place))

#define NOBODYS 15 /* a grant that no living process remembers */

typedef Record {
	byte state;
	byte grant;     /* of the present or last lease; 0: never leased */
#ifdef MISTAKE_SEQUENCE_TOKENS
	byte token;
#endif
	byte attempts;
	byte interruptions;
	byte expect;    /* the generation in the store that the upload replaces; 0: none */
	bit started;
	bit stalled;    /* its holder has not renewed it in time */
	byte places;    /* the sorted sets and sets that hold the key */
};

typedef Redis {
	bit present;
	bit sealed;
	byte sequence;
	byte nonce[WORKERS]; /* of each worker's last lease call */
	Record rec[KEYS];
};

Redis R;

/* ---- the store ---- */

#define NOTHING 0
#define STALE_RESULT 9 /* of older data, to be replaced */

byte generation[KEYS], value[KEYS];
#define RESULT(w) (deviant -> (w) + 1 : 1) /* what worker w computes */
bit deviant; /* two workers compute different results for one key: a broken machine, or a mistake */

/* ---- workers ---- */

#define IDLE 0
#define ASKING 1
#define HELD 2
#define COMPUTING 3
#define PUTTING 4
#define FINISHED 5
#define ERRED 6
#define REFUSED 7
#define LEAVING 8

typedef Worker {
	byte stage;
	byte key;
	byte grant; /* while ASKING: the nonce, which becomes the grant */
#ifdef MISTAKE_SEQUENCE_TOKENS
	byte token;
#endif
	byte expect;
	bit dead; /* and nobody takes its place */
};
Worker W[WORKERS];

/* A request whose sender has given up waiting. It may arrive yet. */
#define NO_LETTER 0
#define LEASE 1
#define SAY_DONE 2
#define SAY_FAIL 3
#define SAY_INPUT 4
#define RELEASE 5
typedef Letter {
	byte verb;
	byte key;
	byte grant;
#ifdef MISTAKE_SEQUENCE_TOKENS
	byte token;
#endif
};
Letter letter[WORKERS];

/* ---- whoever adds keys, or reconciles ---- */

#define LOOKS 0
#define ADDS 1
byte adder;              /* its stage */
byte listed[KEYS];       /* generations as its survey saw them; 255: the result is there */

#define AWAY 0
#define HAS_READ 1
#define HAS_LISTED 2
byte mover;
byte seen_state[KEYS], seen_grant[KEYS];
bit seen_there[KEYS];

byte faults = FAULTS;

/* The request that a script works on, and its answer; all 0 between two steps. */
byte q_key, q_grant, q_who, answer;
bit q_begun;
#ifdef MISTAKE_SEQUENCE_TOKENS
byte q_token;
#endif
byte i, j; /* counters inside of one step */

#define OK 1
#define NOT_YOURS 2 /* STALE or ALREADY: either way the worker drops the key */
#define GONE 3
#define EMPTY 4

#define FOR(x, n) x = 0; do :: x < n ->
#define END(x) ; x++ :: else -> break od; x = 0

/* ---- grants ---- */

#define REMEMBERED(g) (W[0].grant == g || W[1].grant == g || \
                       letter[0].grant == g || letter[1].grant == g)
#define RECORDED(g) (R.nonce[0] == g || R.nonce[1] == g || IS_IN_RECORD(g, 0) || \
                     IS_IN_RECORD(g, KEYS - 1))
#define IS_IN_RECORD(g, k) (R.rec[k].grant == g || seen_grant[k] == g)

/* A number that nobody remembers and no record holds. */
inline fresh(w)
{
	i = (w == 0 -> 1 : 8);
	do
	:: REMEMBERED(i) || RECORDED(i) -> i++
	:: else -> break
	od;
	assert(i < (w == 0 -> 8 : 15));
	W[w].grant = i;
	i = 0
}

inline forget(k)
{
	if
	:: R.rec[k].grant != 0 && !REMEMBERED(R.rec[k].grant) -> R.rec[k].grant = NOBODYS
	:: else
	fi
}

inline forget_nonce(w)
{
	if
	:: R.nonce[w] != 0 && !(W[w].stage == ASKING && W[w].grant == R.nonce[w]) &&
	   letter[w].grant != R.nonce[w] -> R.nonce[w] = 0
	:: else
	fi
}

/* States that differ in numbers which nobody remembers are one state. */
inline tidy()
{
	forget_nonce(0);
	forget_nonce(1);
	if
	:: mover == AWAY ->
		forget(0);
#if KEYS > 1
		forget(1)
#endif
	:: else
	fi;
	q_key = 0;
	q_grant = 0;
	q_begun = 0;
#ifdef MISTAKE_SEQUENCE_TOKENS
	q_token = 0;
#endif
	q_who = 0;
	answer = 0
}

/* After every script. */
inline sound()
{
	FOR(j, KEYS)
		assert(R.rec[j].state == ABSENT -> R.rec[j].places == 0
		                                : R.rec[j].places == IN(R.rec[j].state));
		assert(R.rec[j].state != DONE || (value[j] != NOTHING && value[j] != STALE_RESULT));
		assert(R.rec[j].attempts <= MAX_ATTEMPTS);
		assert(R.rec[j].interruptions <= MAX_INTERRUPTIONS + 1)
	END(j)
}

/* ---- pieces of scripts (prelude.lua) ---- */

inline place_put(k, p)
{
	R.rec[k].places = R.rec[k].places | IN(p)
}

inline place_remove(k, p)
{
	R.rec[k].places = R.rec[k].places & ~IN(p)
}

#ifdef MISTAKE_SEQUENCE_TOKENS
#define SAME_TOKEN (R.rec[q_key].token == q_token)
#else
#define SAME_TOKEN (R.rec[q_key].grant == q_grant)
#endif

/* Somebody's word about a key is about to count. Whatever tokens say, it must be its holder's. */
inline may_act()
{
	assert(R.rec[q_key].grant == q_grant)
}

inline key_interrupted(k)
{
	if
#ifdef MISTAKE_INTERRUPTIONS_UNCOUNTED
	:: 0
#else
	:: R.rec[k].started -> R.rec[k].interruptions++
#endif
	:: else
	fi;
	R.rec[k].started = 0;
	R.rec[k].stalled = 0;
	if
	:: R.rec[k].interruptions > MAX_INTERRUPTIONS ->
		R.rec[k].state = FAILED;
		place_put(k, FAILED)
	:: else ->
		R.rec[k].state = PENDING;
		place_put(k, PENDING)
	fi
}

/* ---- scripts ---- */

/* Nobody alive holds the lease of this key, or its holder has stalled for long enough. */
#define NOT_RENEWED(k) (R.rec[k].stalled || \
                        !(HAS_GRANT(0, R.rec[k].grant) || HAS_GRANT(1, R.rec[k].grant)))
#define HAS_GRANT(w, g) (W[w].stage != IDLE && W[w].grant == g)
#ifdef MISTAKE_NO_TAKE_BACK
#define LOST(k) 0
#else
#define LOST(k) (R.rec[k].state == LEASED && NOT_RENEWED(k))
#endif
#define WAITS(k) (R.rec[k].state == PENDING || R.rec[k].state == DELAYED || LOST(k))

/* step: lease.take_back, lease.promote */
inline take_back(k)
{
	if
	:: LOST(k) ->
		place_remove(k, LEASED);
		key_interrupted(k)
	:: R.rec[k].state == DELAYED ->
		place_remove(k, DELAYED);
		R.rec[k].state = PENDING;
		place_put(k, PENDING)
	:: else
	fi
}

/* step: lease.grant. The key is the asker's. */
inline hand_out(k)
{
	place_remove(k, PENDING);
	place_put(k, LEASED);
	R.rec[k].state = LEASED;
	R.rec[k].grant = q_grant;
#ifdef MISTAKE_SEQUENCE_TOKENS
	R.sequence++;
	R.rec[k].token = R.sequence;
#endif
	R.rec[k].started = 0;
	R.rec[k].stalled = 0
}

/* A call of worker w whose nonce is q_grant, at a moment at which k is the next key. Keys whose holder
 * has stalled are all taken back; that the other times are over is known by the call that finds
 * them so. */
inline script_lease(w, k)
{
	if
	:: !R.present -> answer = GONE
	:: R.present && R.nonce[w] == q_grant -> /* step: lease.repeated */
		answer = (R.rec[k].state == LEASED && R.rec[k].grant == q_grant -> OK : EMPTY)
	:: R.present && R.nonce[w] != q_grant ->
		R.nonce[w] = q_grant;
		take_back(k);
		if
		:: R.rec[OTHER(k)].stalled -> take_back(OTHER(k))
		:: else
		fi;
		if /* step: lease.pop */
		:: R.rec[k].state == PENDING -> hand_out(k); answer = OK
		:: else -> answer = EMPTY
		fi
	fi;
	q_key = k;
	sound()
}

/* step: renew.check, renew.extend */
inline script_renew()
{
	if
	:: !R.present -> answer = GONE
	:: R.present && R.rec[q_key].state == LEASED && SAME_TOKEN ->
		may_act();
		R.rec[q_key].stalled = 0;
		R.rec[q_key].started = R.rec[q_key].started || q_begun;
		answer = OK
	:: else -> answer = NOT_YOURS
	fi;
	sound()
}

#ifdef MISTAKE_DONE_WITHOUT_TOKEN
#define DONE_COUNTS (R.rec[q_key].state == LEASED)
#else
#define DONE_COUNTS (R.rec[q_key].state == LEASED && SAME_TOKEN)
#endif

/* step: done.check, done.move */
inline script_done()
{
	if
	:: !R.present -> answer = GONE
	:: R.present && DONE_COUNTS ->
		may_act();
		assert(value[q_key] == RESULT(q_who));
		place_remove(q_key, LEASED);
		place_put(q_key, DONE);
		R.rec[q_key].state = DONE;
		R.rec[q_key].expect = 0;
		R.rec[q_key].started = 0;
		R.rec[q_key].stalled = 0;
		answer = OK
	:: R.present && !DONE_COUNTS ->
		answer = NOT_YOURS
	fi;
	sound()
}

/* step: fail.check, fail.move */
inline script_fail(is_input)
{
	if
	:: !R.present -> answer = GONE
	:: R.present && R.rec[q_key].state == LEASED && SAME_TOKEN ->
		may_act();
#ifndef MISTAKE_FAIL_LEAVES_LEASED
		place_remove(q_key, LEASED);
#endif
#ifndef MISTAKE_ATTEMPTS_UNCOUNTED
		R.rec[q_key].attempts++;
#endif
		R.rec[q_key].started = 0;
		R.rec[q_key].stalled = 0;
		if
		:: is_input || R.rec[q_key].attempts >= MAX_ATTEMPTS ->
			R.rec[q_key].state = FAILED;
			place_put(q_key, FAILED)
		:: else ->
			R.rec[q_key].state = DELAYED;
			place_put(q_key, DELAYED)
		fi;
		answer = OK
	:: else ->
		answer = NOT_YOURS
	fi;
	sound()
}

/* step: release.move */
inline script_release()
{
	if
	:: !R.present -> answer = GONE
	:: R.present && R.rec[q_key].state == LEASED && SAME_TOKEN ->
		may_act();
		place_remove(q_key, LEASED);
		key_interrupted(q_key);
		answer = OK
	:: else ->
		answer = NOT_YOURS
	fi;
	sound()
}

inline record_fresh(k, expected)
{
	R.rec[k].attempts = 0;
	R.rec[k].interruptions = 0;
	R.rec[k].started = 0;
	R.rec[k].stalled = 0;
	R.rec[k].expect = expected
}

/* step: add.store. A key that is there already stays as it is. */
inline script_add(k)
{
	if
	:: R.present && !R.sealed && R.rec[k].state == ABSENT ->
		record_fresh(k, (listed[k] == 255 -> 0 : listed[k]));
		R.rec[k].state = (listed[k] == 255 -> DONE : PENDING);
		place_put(k, R.rec[k].state)
	:: else
	fi;
	sound()
}

#ifdef MISTAKE_MOVE_WITHOUT_COMPARING
#define UNCHANGED(k) (R.rec[k].state != ABSENT)
#else
#define UNCHANGED(k) (R.rec[k].state == seen_state[k] && R.rec[k].grant == seen_grant[k])
#endif

/* step: move.compare, move.place */
inline script_move(k, to)
{
	if
	:: R.present && UNCHANGED(k) ->
		assert(R.rec[k].grant == seen_grant[k]);
		place_remove(k, seen_state[k]);
		R.rec[k].state = to;
		place_put(k, to);
		record_fresh(k, (to == DONE || value[k] != STALE_RESULT -> 0 : generation[k]))
	:: else
	fi;
	sound()
}

/* ---- the store ---- */

/* The conditional put, and what the worker makes of a refusal: the object that is there decides. */
inline put(w, seen_effect)
{
	if
#ifdef MISTAKE_PUT_UNCONDITIONAL
	:: 1 ->
#else
	:: generation[W[w].key] == W[w].expect ->
#endif
		assert(value[W[w].key] == NOTHING || value[W[w].key] == STALE_RESULT || value[W[w].key] == RESULT(w));
		value[W[w].key] = RESULT(w);
		generation[W[w].key] = 2;
		if
		:: seen_effect -> W[w].stage = FINISHED
		:: else
		fi
	:: else ->
		if
		:: !seen_effect
#ifdef MISTAKE_REFUSAL_IS_DONE
		:: seen_effect -> W[w].stage = FINISHED
#else
		:: seen_effect && value[W[w].key] == RESULT(w) -> W[w].stage = FINISHED
		:: seen_effect && value[W[w].key] != RESULT(w) -> W[w].stage = REFUSED
#endif
		fi
	fi
}

/* ---- workers ---- */

/* Make m's request the one at hand. */
inline request(m, w)
{
	q_key = m.key;
	q_grant = m.grant;
	q_who = w;
#ifdef MISTAKE_SEQUENCE_TOKENS
	q_token = m.token
#endif
}

inline drop(w)
{
	W[w].stage = IDLE;
	W[w].key = 0;
	W[w].grant = 0;
#ifdef MISTAKE_SEQUENCE_TOKENS
	W[w].token = 0;
#endif
	W[w].expect = 0
}

/* The request goes, its answer does not come: the sender will repeat it. */
inline give_up_waiting(w, v)
{
	faults--;
	letter[w].verb = v;
	letter[w].key = W[w].key;
	letter[w].grant = W[w].grant;
#ifdef MISTAKE_SEQUENCE_TOKENS
	letter[w].token = W[w].token;
#endif
}

inline take_lease(w)
{
	if
	:: answer == OK ->
		W[w].stage = HELD;
		W[w].key = q_key;
		W[w].expect = R.rec[W[w].key].expect;
#ifdef MISTAKE_SEQUENCE_TOKENS
		W[w].token = R.rec[W[w].key].token;
#endif
	:: else -> drop(w)
	fi;
	tidy()
}

#if KEYS > 1
#define MAY_ERR(w) (W[w].key == 0) /* to keep the state space small; one key alone may do all */
#else
#define MAY_ERR(w) 1
#endif
#ifdef KILLER /* key 0 ends each worker that has told that it began */
#define MAY_COMPUTE(w) (W[w].key != 0)
#else
#define MAY_COMPUTE(w) 1
#endif

#define MAY_ASK(w, k) (W[w].stage == IDLE && !W[w].dead && R.present && WAITS(k))

proctype Work(byte w)
{
end:	do
	:: d_step { MAY_ASK(w, 0) -> fresh(w); request(W[w], w); script_lease(w, 0); take_lease(w) }
#if KEYS > 1
	:: d_step { MAY_ASK(w, 1) -> fresh(w); request(W[w], w); script_lease(w, 1); take_lease(w) }
#endif
	/* or ask, hear nothing, and ask again */
	:: d_step { (MAY_ASK(w, 0) || MAY_ASK(w, KEYS - 1)) && faults ->
		fresh(w);
		W[w].stage = ASKING;
		give_up_waiting(w, LEASE) }
	:: d_step { W[w].stage == ASKING && R.present && (WAITS(0) || R.rec[0].grant == W[w].grant) ->
		request(W[w], w); script_lease(w, 0); take_lease(w) }
#if KEYS > 1
	:: d_step { W[w].stage == ASKING && R.present && (WAITS(1) || R.rec[1].grant == W[w].grant) ->
		request(W[w], w); script_lease(w, 1); take_lease(w) }
#endif
	:: d_step { W[w].stage == ASKING && !R.present -> drop(w); tidy() }
#ifdef MISTAKE_LEASE_IN_TWO_COMMANDS
	:: d_step { MAY_ASK(w, 0) && R.rec[0].state == PENDING -> fresh(w); place_remove(0, PENDING); W[w].stage = ASKING };
		d_step { if
		:: W[w].stage == ASKING -> request(W[w], w); hand_out(0); answer = OK; q_key = 0; take_lease(w)
		:: else
		fi }
#endif
	/* the heartbeat */
	:: d_step { (W[w].stage == COMPUTING && !R.rec[W[w].key].started) ||
	            (W[w].stage >= HELD && W[w].stage <= PUTTING && R.rec[W[w].key].stalled) ->
		request(W[w], w);
		q_begun = W[w].stage >= COMPUTING;
		script_renew();
		if
		:: answer == OK
		:: else -> drop(w)
		fi;
		tidy() }
	/* compute */
	:: d_step { W[w].stage == HELD -> W[w].stage = COMPUTING }
	:: d_step { W[w].stage == COMPUTING && MAY_COMPUTE(w) ->
#ifdef MISTAKE_DONE_BEFORE_PUT
		W[w].stage = FINISHED
#else
		W[w].stage = PUTTING
#endif
		}
	:: d_step { W[w].stage == COMPUTING && MAY_ERR(w) -> W[w].stage = ERRED }
	/* upload */
	:: d_step { W[w].stage == PUTTING -> put(w, true) }
	:: d_step { W[w].stage == PUTTING && faults -> faults--; put(w, false) }
	:: d_step { W[w].stage == PUTTING && faults -> /* past its time limit while it uploads */
		faults--;
		put(w, false);
		W[w].stage = ERRED }
	/* tell */
	:: d_step { W[w].stage == FINISHED -> request(W[w], w); script_done(); drop(w); tidy() }
	:: d_step { W[w].stage == ERRED -> request(W[w], w); script_fail(false); drop(w); tidy() }
	:: d_step { W[w].stage == REFUSED -> request(W[w], w); script_fail(true); drop(w); tidy() }
	:: d_step { W[w].stage == LEAVING -> request(W[w], w); script_release(); drop(w); tidy() }
	/* answers that do not come */
	:: d_step { W[w].stage == FINISHED && faults -> give_up_waiting(w, SAY_DONE) }
	:: d_step { W[w].stage == ERRED && faults -> give_up_waiting(w, SAY_FAIL) }
	:: d_step { W[w].stage == REFUSED && faults -> give_up_waiting(w, SAY_INPUT) }
	:: d_step { W[w].stage == LEAVING && faults -> give_up_waiting(w, RELEASE) }
	/* SIGTERM, kill -9 with and without a successor */
	:: d_step { W[w].stage >= HELD && W[w].stage <= PUTTING && faults -> faults--; W[w].stage = LEAVING }
	:: d_step { W[w].stage != IDLE && faults -> faults--; drop(w); tidy() }
	:: d_step { !W[w].dead && !W[1 - w].dead && faults -> faults--; drop(w); W[w].dead = 1; tidy() }
#ifdef KILLER
	:: d_step { W[w].stage == COMPUTING && W[w].key == 0 && R.rec[0].started -> drop(w); tidy() }
#endif
	od
}

/* ---- what else may happen ---- */

#define MAY_STALL(k) (R.rec[k].state == LEASED && !R.rec[k].stalled && !NOT_RENEWED(k) && faults)

/* A living worker loses a lease only because it stalls, or renewing fails for so long. */
proctype Clock()
{
end:	do
	:: d_step { MAY_STALL(0) -> faults--; R.rec[0].stalled = 1 }
#if KEYS > 1
	:: d_step { MAY_STALL(1) -> faults--; R.rec[1].stalled = 1 }
#endif
	od
}

inline deliver(w)
{
	request(letter[w], w);
	if
	:: letter[w].verb == LEASE && WAITS(0) -> script_lease(w, 0)
	:: letter[w].verb == LEASE && !WAITS(0) -> script_lease(w, KEYS - 1)
	:: letter[w].verb == SAY_DONE -> script_done()
	:: letter[w].verb == SAY_FAIL -> script_fail(false)
	:: letter[w].verb == SAY_INPUT -> script_fail(true)
	:: letter[w].verb == RELEASE -> script_release()
	fi;
	letter[w].verb = NO_LETTER;
	letter[w].key = 0;
	letter[w].grant = 0;
#ifdef MISTAKE_SEQUENCE_TOKENS
	letter[w].token = 0;
#endif
	tidy()
}

proctype Network()
{
end:	do
	:: d_step { letter[0].verb -> deliver(0) }
	:: d_step { letter[1].verb -> deliver(1) }
	od
}

inline record_clear(k)
{
	R.rec[k].state = ABSENT;
	R.rec[k].grant = 0;
#ifdef MISTAKE_SEQUENCE_TOKENS
	R.rec[k].token = 0;
#endif
	record_fresh(k, 0);
	R.rec[k].places = 0
}

/* Key k is as it once was. Only a result that is in the store can ever have been done. Its lease was
 * that of whoever still remembers one of it, or of nobody. */
inline record_earlier(k)
{
	record_clear(k);
	R.rec[k].expect = (k == 0 -> 1 : 0);
	if
	:: !R.sealed
	:: R.rec[k].state = PENDING
	:: R.rec[k].state = PENDING; R.rec[k].attempts = 1; R.rec[k].grant = NOBODYS
	:: R.rec[k].state = DELAYED; R.rec[k].attempts = 1; R.rec[k].grant = NOBODYS
	:: R.rec[k].state = LEASED; lease_earlier(k)
	:: R.rec[k].state = FAILED; R.rec[k].grant = NOBODYS
	:: R.rec[k].state == ABSENT && value[k] != NOTHING && value[k] != STALE_RESULT ->
		R.rec[k].state = DONE;
		R.rec[k].expect = 0;
		R.rec[k].grant = NOBODYS
	fi;
	R.rec[k].places = (R.rec[k].state == ABSENT -> 0 : IN(R.rec[k].state))
}

#define HAD(stage, w, k) (stage == ASKING || (stage > ASKING && W[w].key == k))

inline lease_earlier(k)
{
	if
	:: R.rec[k].grant = NOBODYS
	:: HAD(W[0].stage, 0, k) -> lease_of(k, W[0])
	:: HAD(W[1].stage, 1, k) -> lease_of(k, W[1])
	:: letter[0].verb -> lease_of(k, letter[0])
	:: letter[1].verb -> lease_of(k, letter[1])
	fi;
	if
	:: R.rec[k].started = 0
	:: R.rec[k].started = 1
	fi;
	if
	:: R.rec[k].interruptions = 0
	:: R.rec[k].interruptions = MAX_INTERRUPTIONS
	fi
}

inline lease_of(k, m)
{
#ifdef MISTAKE_SEQUENCE_TOKENS
	R.rec[k].token = m.token;
#endif
	R.rec[k].grant = m.grant
}

/* Redis goes back to an earlier state, or to nothing. Earlier states are not kept but made up: every
 * one that there can have been is among them, and some more. */
proctype Rollback()
{
end:	do
	:: atomic { faults ->
		faults--;
		R.sequence = 0;
		R.nonce[0] = 0;
		R.nonce[1] = 0;
		if
		:: R.present && R.sealed
		:: R.sealed = 0
		:: R.sealed = 0; R.present = 0
		fi;
		if
		:: R.present ->
			record_earlier(0);
#if KEYS > 1
			record_earlier(1)
#endif
		:: else ->
			record_clear(0);
#if KEYS > 1
			record_clear(1)
#endif
		fi;
		tidy() }
	od
}

/* enqueue; and reconcile when Redis has lost the batch or a part of it. The survey is older than
 * what is added after it. */
inline survey(k)
{
	listed[k] = (value[k] == NOTHING -> 0 : (value[k] == STALE_RESULT -> generation[k] : 255))
}

inline stop_adding()
{
	adder = LOOKS;
	FOR(i, KEYS)
		listed[i] = 0
	END(i)
}

#if KEYS > 1
#define ALL_KNOWN (R.rec[0].state != ABSENT && R.rec[1].state != ABSENT)
#define ALL_SETTLED (SETTLED(0) && SETTLED(1))
#else
#define ALL_KNOWN (R.rec[0].state != ABSENT)
#define ALL_SETTLED SETTLED(0)
#endif
#define SETTLED(k) (R.rec[k].state == DONE || R.rec[k].state == FAILED)

#define ADDABLE(k) (adder == ADDS && !(R.present && R.sealed) && R.rec[k].state == ABSENT)

proctype Enqueue()
{
end:	do
	:: d_step { adder == LOOKS && !(R.present && R.sealed) ->
		survey(0);
#if KEYS > 1
		survey(1);
#endif
		adder = ADDS }
	/* step: begin.present, begin.make, then add */
	:: d_step { ADDABLE(0) -> R.present = 1; script_add(0); tidy() }
#if KEYS > 1
	:: d_step { ADDABLE(1) -> R.present = 1; script_add(1); tidy() }
#endif
	:: d_step { adder == ADDS && R.present && !R.sealed && ALL_KNOWN -> /* step: seal.compare, seal.set */
		R.sealed = 1;
		stop_adding() }
	:: d_step { adder == ADDS && R.sealed -> stop_adding() }
	od
}

/* reconcile of a batch that Redis has: states and tokens first, then the listing, then the moves. */
inline wish(k)
{
	if
	:: (seen_state[k] == PENDING || seen_state[k] == DELAYED || seen_state[k] == FAILED) &&
	   seen_there[k] -> script_move(k, DONE)
	:: seen_state[k] == FAILED && !seen_there[k] -> script_move(k, PENDING)
	:: seen_state[k] == DONE && !seen_there[k] -> script_move(k, PENDING)
	:: else
	fi
}

proctype Reconcile()
{
	atomic { R.present && R.sealed && faults ->
		faults--;
		mover = HAS_READ;
		FOR(j, KEYS)
			seen_state[j] = R.rec[j].state;
			seen_grant[j] = R.rec[j].grant
		END(j) };
	atomic {
		mover = HAS_LISTED;
		FOR(j, KEYS)
			seen_there[j] = value[j] != NOTHING && value[j] != STALE_RESULT
		END(j) };
	atomic { wish(0); seen_state[0] = 0; seen_there[0] = 0 };
#if KEYS > 1
	atomic { wish(1); seen_state[1] = 0; seen_there[1] = 0 };
#endif
	atomic {
		mover = AWAY;
		FOR(j, KEYS)
			seen_grant[j] = 0
		END(j);
		tidy() }
}

/* When nothing can happen any more. */
proctype Judge()
{
end:	timeout -> assert(R.present && R.sealed && ALL_SETTLED)
}

init {
	atomic {
		if
		:: deviant = 1
		:: deviant = 0
		fi;
		generation[0] = 1;
		value[0] = STALE_RESULT;
#if KEYS > 1 /* enqueued; how that goes is tried with one key */
		record_fresh(0, 1);
		R.rec[0].state = PENDING;
		R.rec[0].places = IN(PENDING);
		R.rec[1].state = PENDING;
		R.rec[1].places = IN(PENDING);
		R.present = 1;
		R.sealed = 1;
#endif
		run Work(0);
		run Work(1);
		run Clock();
		run Network();
		run Rollback();
		run Enqueue();
		run Reconcile();
		run Judge()
	}
}

ltl settles { <>[] (R.present && R.sealed && ALL_SETTLED) }
