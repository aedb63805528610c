/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* settle.pml - manifest and _SUCCESS: settling, taking over, retry, reconcile.
 *
 * Two settlers, a retry, reconcile whenever there is something for it, and work on the key, while at
 * most FAULTS things go wrong, each of them any of these, at any moment: a settler or a mover dies or
 * stalls (its lease runs out, and it goes on later without knowing); an answer of Redis is lost; somebody deletes
 * the result; Redis goes back to an earlier state, the empty one included.
 *
 * What must hold (test_model.py runs all of it, README.md tells how to read it):
 *
 *   _SUCCESS never stands while a result is missing (but see below)             true_success()
 *   _SUCCESS is written only by who has seen every result                       assert where it is written
 *   _SUCCESS names the manifest that is there                                   true_success()
 *   a batch is settled only with its manifest and, without failures, _SUCCESS   finish(), true_success()
 *   a batch is settled in the end, and its marks are there                      Judge, ltl settles
 *
 * THE ONE MOMENT. No store can make the writing of one object depend on Redis. A settler looks at
 * its lease, then writes _SUCCESS; if the batch is reopened between the two, _SUCCESS appears while a
 * key waits that is to be computed again. The settler learns it from its next call to Redis and
 * takes away what it wrote; if it dies there, the next settling does. true_success() excuses a
 * settler between its write and the answer of Redis, dead or alive. This takes a result that was
 * there and is gone. hiwari itself never deletes one, and without that (-DNOTHING_VANISHES) a result
 * is never missing where _SUCCESS stands, and nothing is excused.
 *
 * AFTER REDIS HAS GONE BACK epochs come again, and with a settler stopped at its last step _SUCCESS may
 * belong to another settling than the manifest; with a result deleted besides, it may be false until
 * the batch is next reopened. And a mover that was stopped between reopening and deleting _SUCCESS for
 * longer than its hold may delete that of a settled batch: then it is missing, not false, until
 * reconcile sees it. The properties except just these.
 *
 * LEFT OUT, AND WHY THAT HIDES NOTHING
 *
 * All keys but one. Settling asks whether every key has a result or has failed, moving asks for each
 * key by itself; so one key stands for all. What a worker does with a key is lease.pml's: here work
 * is three steps, leased, uploaded, done or failed.
 *
 * Time, tokens: as in lease.pml. That a key was not leased since it was looked at, which tokens tell,
 * is a bit here. A generation is told apart by whether it changed since it was seen, by the same kind
 * of bit; _SUCCESS's by who wrote it.
 *
 * enqueue of the next incarnation: it deletes _SUCCESS as a rebuilding reconcile does, before
 * anything is added, and every script of the old one is answered GONE. */

#ifndef FAULTS
#define FAULTS 2
#endif

#define ABSENT 0 /* Redis has not the batch, or not all of it */
#define WAITS 1
#define LEASED 2
#define UPLOADED 3 /* leased, and its result is in the store */
#define DONE 4
#define FAILED 5

#define OTHER(w) (3 - (w))
#define NOBODY 0 /* settlers are 1 and 2 */
#define FORMER 3 /* a token that nobody remembers */

/* ---- Redis ---- */
byte key = WAITS;
bit settled, hold;   /* hold: no settling begins while keys are moved */
byte epoch = 1;
byte token;    /* of the settling lease */
bit over = 1;  /* it has run out */

/* ---- the store ---- */
byte result;   /* 0: none; else which writing of it */
byte written;  /* how often it was written */
typedef Text { /* what a manifest says, and what _SUCCESS' checksum makes it name */
	byte epoch;
	bit failed;
	byte result;
};
Text manifest, success; /* epoch 0: not there */
byte author;            /* of _SUCCESS: settler 1, 2, or one of these */
#define DIED 3          /* before it heard from Redis */
#define LEFT 4          /* with Redis' word that the batch is settled */
#define TAKEN_OVER 5    /* with Redis' word that another settles */

/* ---- settlers ---- */
#define IDLE 0
#define READS 1
#define LISTS 2
#define DECIDES 3
#define REOPENS 4
#define UNSUCCEEDS 5
#define MOVES 6
#define ENDS 7
#define CLEARS 8
#define MANIFESTS 9
#define SUCCEEDS 10
#define FINISHES 11
#define TAKES_AWAY 12
typedef Settler {
	byte stage;
	byte epoch;
	Text seen;    /* the manifest when its lease began */
	bit current;  /* and the manifest is still that one */
	Text stood;   /* _SUCCESS at that time */
	bit stands;   /* and it is still that one */
	byte listed;  /* result */
	byte state;   /* of the key as read */
	bit same;     /* the key was not leased since */
	bit mine;     /* _SUCCESS is its writing */
};
Settler S[3];

/* ---- retry and reconcile ---- */
byte mover; /* its stage, of those above */
bit rebuilding, retrying;
byte m_state, m_listed, m_epoch;
bit m_same;

/* ---- for the properties ---- */
byte faults = FAULTS;
bit vanished;   /* the result is gone, and no hiwari has acted on it yet */
bit since[3];   /* it went since settler w listed */
bit rolled_back, mover_late; /* see true_success() */
byte i;

#define FINISHED (key == DONE || key == FAILED)
#define MISSING (result == 0 && !vanished)
#define EXCUSED (author == 1 || author == 2 || author == DIED || (author == TAKEN_OVER && rolled_back))
#define STANDS (success.epoch != 0)

#define NAMES_MANIFEST (manifest.epoch == success.epoch && manifest.failed == success.failed && \
                        manifest.result == success.result)

inline true_success()
{
#ifdef NOTHING_VANISHES
	assert(!STANDS || result != 0);
#else
	assert(!STANDS || !MISSING || EXCUSED);
#endif
	assert(!STANDS || EXCUSED || rolled_back || NAMES_MANIFEST);
	assert(!settled || key == FAILED || STANDS || rolled_back || mover_late)
}

inline text_clear(t)
{
	t.epoch = 0;
	t.failed = 0;
	t.result = 0
}

inline touched() /* a new token on the key */
{
	S[1].same = 0;
	S[2].same = 0;
	m_same = 0
}

/* ---- scripts ---- */

#define SETTLING_BY_OTHER(w) (!over && token != w && token != NOBODY)
#define MAY_MOVE (key != ABSENT && !settled && (hold || over))

inline settler_clear(w)
{
	S[w].stage = IDLE;
	S[w].epoch = 0;
	text_clear(S[w].seen);
	S[w].current = 0;
	S[w].listed = 0;
	S[w].state = 0;
	S[w].same = 0;
	S[w].mine = 0;
	text_clear(S[w].stood);
	S[w].stands = 0;
	since[w] = 0
}

/* step: reopen.begin */
/* step: reopen.end. The hold of a later mover stays. */
#ifdef MISTAKE_ANY_MOVER_ENDS_THE_HOLD
#define ENDS_HOLD(e) 1
#else
#define ENDS_HOLD(e) (epoch == e)
#endif

inline script_reopen()
{
	if
	:: key != ABSENT ->
		settled = 0;
		token = NOBODY;
		over = 1;
		hold = 1;
		epoch++;
		assert(epoch < 12)
	:: else
	fi
}

inline delete_success()
{
	S[1].stands = 0;
	S[2].stands = 0;
	text_clear(success);
	author = 0
}

/* step: move.compare, move.place, retry.move */
inline script_move(seen_state, unchanged, to)
{
	if
	:: MAY_MOVE && key == seen_state && (unchanged
#ifdef MISTAKE_MOVE_WITHOUT_COMPARING
	   || 1
#endif
	   ) ->
		assert(unchanged);
		key = to;
		vanished = 0
	:: else
	fi
}

/* step: settle.stale, settle.taken_over, settle.finish */
#ifdef MISTAKE_FINISH_WITHOUT_TOKEN
#define IS_STALE(w) 0
#else
#define IS_STALE(w) (token != w || epoch != S[w].epoch || !FINISHED)
#endif

#ifdef MISTAKE_ANY_STALE_SETTLER_TAKES_SUCCESS
#define TAKES_IT_AWAY(w)
#else /* a successor of the same epoch judges _SUCCESS; without one it is taken away */
#define TAKES_IT_AWAY(w) && (key == ABSENT || epoch != S[w].epoch || token == NOBODY)
#endif

inline finish(w)
{
	if
	:: author == w && key != ABSENT && !IS_STALE(w) -> author = LEFT
	:: author == w && (key == ABSENT || IS_STALE(w)) && !(S[w].mine TAKES_IT_AWAY(w)) -> author = TAKEN_OVER
	:: else
	fi;
	if
	:: key != ABSENT && !IS_STALE(w) ->
		assert(rolled_back || (manifest.epoch == epoch && (manifest.failed || STANDS || mover_late)));
		settled = 1;
		over = 1;
		hold = 0;
		settler_clear(w)
	:: else ->
		if
#ifdef MISTAKE_LATE_SETTLER_LEAVES_SUCCESS
		:: 0
#else
		:: S[w].mine TAKES_IT_AWAY(w) -> S[w].stage = TAKES_AWAY
#endif
		:: else -> settler_clear(w)
		fi
	fi
}

/* ---- settlers ---- */

#ifdef MISTAKE_MANIFEST_UNCONDITIONAL
#define UNCHANGED(w) 1
#else
#define UNCHANGED(w) S[w].current
#endif
#define SAYS_THE_SAME(t, w) (t.epoch == S[w].epoch && t.failed == (S[w].state == FAILED) && \
                             t.result == S[w].listed)

inline text_write(t, w)
{
	t.epoch = S[w].epoch;
	t.failed = (S[w].state == FAILED);
	t.result = S[w].listed
}

/* Where a settler goes on when the manifest is there. */
#define AFTER_MANIFEST(w) (S[w].state == FAILED -> FINISHES : SUCCEEDS)

proctype Settle(byte w)
{
end:	do
	/* step: settle.check, settle.take; and manifest and _SUCCESS are read */
	:: d_step { S[w].stage == IDLE && FINISHED && !settled && !hold && !SETTLING_BY_OTHER(w) ->
		token = w;
		over = 0;
		S[w].epoch = epoch;
		S[w].seen.epoch = manifest.epoch;
		S[w].seen.failed = manifest.failed;
		S[w].seen.result = manifest.result;
		S[w].current = 1;
		S[w].stood.epoch = success.epoch;
		S[w].stood.failed = success.failed;
		S[w].stood.result = success.result;
		S[w].stands = 1;
		S[w].stage = READS }
	/* records first, the listing second */
	:: d_step { S[w].stage == READS && key != ABSENT ->
		S[w].state = key;
		S[w].same = 1;
		S[w].stage = LISTS }
	:: d_step { S[w].stage == READS && key == ABSENT -> settler_clear(w) }
	:: d_step { S[w].stage == LISTS ->
		S[w].listed = result;
		since[w] = 0;
		S[w].stage = DECIDES }
	:: d_step { S[w].stage == DECIDES ->
		if
#ifndef MISTAKE_SETTLE_WITHOUT_LISTING
		:: S[w].state != FAILED && S[w].listed == 0 -> S[w].stage = REOPENS /* put_back() */
#endif
		:: else ->
			if
			:: S[w].state == FAILED -> S[w].listed = 0
			:: else
			fi;
#ifdef MISTAKE_SUCCESS_BEFORE_MANIFEST
			S[w].stage = (S[w].state == FAILED -> CLEARS : SUCCEEDS)
#else
			S[w].stage = CLEARS
#endif
		fi }
	/* the guard's word, heard in time: the lease is another's */
	:: d_step { (S[w].stage == DECIDES || (S[w].stage >= CLEARS && S[w].stage <= SUCCEEDS)) && token != w -> settler_clear(w) }
	/* put_back() */
	:: d_step { S[w].stage == REOPENS -> script_reopen(); S[w].epoch = epoch; S[w].stage = UNSUCCEEDS }
	:: d_step { S[w].stage == UNSUCCEEDS ->
		mover_late = mover_late || epoch != S[w].epoch;
		delete_success();
		S[w].stage = MOVES }
	:: d_step { S[w].stage == MOVES -> script_move(S[w].state, S[w].same, WAITS); S[w].stage = ENDS }
	:: d_step { S[w].stage == ENDS -> hold = hold && !ENDS_HOLD(S[w].epoch); settler_clear(w) }
	/* clear_success(): what stood there when the lease began, and nothing later */
	:: d_step { S[w].stage == CLEARS ->
		if
#ifdef MISTAKE_SUCCESS_BEFORE_MANIFEST
		:: 1
#endif
#ifdef MISTAKE_ANY_SUCCESS_IS_CLEARED
		:: STANDS && !SAYS_THE_SAME(S[w].stood, w) -> delete_success()
#endif
		:: S[w].stood.epoch != 0 && !(S[w].state == DONE && SAYS_THE_SAME(S[w].stood, w)) && S[w].stands ->
			delete_success()
		:: else
		fi;
		S[w].stage = MANIFESTS }
	/* write_manifest() */
	:: d_step { S[w].stage == MANIFESTS && UNCHANGED(w) ->
		text_write(manifest, w);
		S[OTHER(w)].current = 0;
		true_success();
#ifdef MISTAKE_SUCCESS_BEFORE_MANIFEST
		S[w].stage = FINISHES }
#else
		S[w].stage = AFTER_MANIFEST(w) }
#endif
	:: d_step { S[w].stage == MANIFESTS && !UNCHANGED(w) -> settler_clear(w) }
	/* write_success() */
	:: d_step { S[w].stage == SUCCEEDS && !STANDS ->
		assert(result != 0 || since[w]);
		text_write(success, w);
		S[OTHER(w)].stands = 0;
		author = w;
		S[w].mine = 1;
		S[w].stage = FINISHES;
		true_success()
#ifdef MISTAKE_SUCCESS_BEFORE_MANIFEST
		; S[w].stage = CLEARS
#endif
		}
	:: d_step { S[w].stage == SUCCEEDS && STANDS && SAYS_THE_SAME(success, w) ->
#ifdef MISTAKE_SUCCESS_BEFORE_MANIFEST
		S[w].stage = CLEARS }
#else
		S[w].stage = FINISHES }
#endif
	:: d_step { S[w].stage == SUCCEEDS && STANDS && !SAYS_THE_SAME(success, w) -> settler_clear(w) }
	/* finish() */
	:: d_step { S[w].stage == FINISHES -> finish(w); true_success() }
	:: d_step { S[w].stage == FINISHES && faults -> /* the answer is lost */
		faults--;
		if
		:: key != ABSENT && !IS_STALE(w) -> settled = 1; over = 1; hold = 0
		:: else
		fi }
	:: d_step { S[w].stage == TAKES_AWAY ->
		if
		:: author == w -> delete_success()
		:: else
		fi;
		settler_clear(w);
		true_success() }
	/* it dies; a process that takes its place is the same settler anew */
	:: d_step { S[w].stage != IDLE && faults ->
		faults--;
		author = (author == w -> DIED : author);
		token = (token == w -> FORMER : token);
		settler_clear(w) }
	od
}

/* ---- work on the key ---- */

proctype Work()
{
end:	do
	:: d_step { key == WAITS -> key = LEASED; touched() }
	:: d_step { key == LEASED ->
		if
		:: result == 0 -> written++; result = written; vanished = 0
		:: else
		fi;
		key = UPLOADED }
	:: d_step { key == LEASED && result == 0 && !retrying -> key = FAILED; true_success() }
	:: d_step { key == UPLOADED -> key = DONE }
	:: d_step { key == UPLOADED && faults -> faults--; key = WAITS }
	od
}

/* ---- retry and reconcile ---- */

#define LOST_SOMETHING (settled && ((key == DONE && result == 0) || (key == DONE && !STANDS)))

inline mover_ends()
{
	mover = IDLE;
	m_state = 0;
	m_listed = 0;
	m_epoch = 0;
	m_same = 0;
	rebuilding = 0;
	retrying = 0
}

proctype Move()
{
end:	do
	/* a person's retry */
	:: d_step { mover == IDLE && key == FAILED && faults ->
		faults--;
		retrying = 1;
		m_state = FAILED;
		m_same = 1;
		mover = REOPENS }
	/* reconcile, as often as there is something for it: states first, then the listing */
	:: d_step { mover == IDLE && key != ABSENT && (LOST_SOMETHING || (faults && !settled)) ->
		faults = (LOST_SOMETHING -> faults : faults - 1);
		m_state = key;
		m_same = 1;
		mover = LISTS }
	:: d_step { mover == LISTS && !rebuilding ->
		m_listed = result;
		if
		:: (m_state == DONE && m_listed == 0) || (m_state == DONE && !STANDS && settled) ||
		   ((m_state == WAITS || m_state == FAILED) && m_listed != 0) -> mover = REOPENS
		:: else -> mover_ends()
		fi }
	:: d_step { mover == REOPENS -> script_reopen(); m_epoch = epoch; mover = UNSUCCEEDS }
	:: d_step { mover == UNSUCCEEDS ->
		mover_late = mover_late || epoch != m_epoch;
#ifndef MISTAKE_REOPEN_KEEPS_SUCCESS
		delete_success();
#endif
		mover = MOVES }
	:: d_step { mover == MOVES ->
		if
		:: m_listed != 0 && m_state != DONE -> script_move(m_state, m_same, DONE)
		:: m_listed == 0 -> script_move(m_state, m_same, WAITS)
		:: else
		fi;
		true_success();
		mover = ENDS }
	:: d_step { mover == ENDS -> hold = hold && !ENDS_HOLD(m_epoch); mover_ends() }
	/* reconcile of a batch that Redis has not: list, _SUCCESS away, add */
	:: d_step { mover == IDLE && key == ABSENT -> rebuilding = 1; mover = LISTS }
	:: d_step { mover == LISTS && rebuilding -> m_listed = result; mover = CLEARS }
	:: d_step { mover == CLEARS ->
#ifndef MISTAKE_REBUILD_KEEPS_SUCCESS
		delete_success();
#endif
		mover = FINISHES }
	:: d_step { mover == FINISHES ->
		if
		:: key == ABSENT ->
			key = (m_listed != 0 -> DONE : WAITS);
			settled = 0;
			hold = 0;
			token = NOBODY;
			over = 1;
			epoch = 1;
			vanished = (m_listed != 0 -> vanished : 0)
		:: else
		fi;
		true_success();
		mover_ends() }
	/* it dies */
	:: d_step { mover != IDLE && faults -> faults--; mover_ends() }
	od
}

/* ---- what else may happen ---- */

#define BUSY_MOVER (mover >= UNSUCCEEDS || (S[1].stage >= UNSUCCEEDS && S[1].stage <= ENDS) || \
                    (S[2].stage >= UNSUCCEEDS && S[2].stage <= ENDS))

/* Settling leases and holds run out: of the dead without cost, of the living by a fault. */
proctype Clock()
{
end:	do
	:: d_step { !over && token == FORMER -> over = 1 }
	:: d_step { !over && (token == 1 || token == 2) && S[token].stage == IDLE -> over = 1 }
	:: d_step { !over && token != FORMER && S[token].stage != IDLE && faults -> faults--; over = 1 }
	:: d_step { hold && !BUSY_MOVER -> hold = 0 }
	:: d_step { hold && BUSY_MOVER && faults -> faults--; hold = 0; mover_late = 1 }
	od
}

/* Somebody deletes the result, once. */
proctype Vanish()
{
#ifndef NOTHING_VANISHES
	d_step { key == DONE && result != 0 && faults ->
		faults--;
		result = 0;
		vanished = 1;
		since[1] = 1;
		since[2] = 1 }
#endif
	skip
}

/* Redis goes back: to nothing, or to any state that it can have had. */
proctype Rollback()
{
end:	atomic { faults ->
		faults--;
		rolled_back = 1;
		touched();
		hold = 0;
		if
		:: key = ABSENT
		:: key = WAITS
		:: key = FAILED
		:: written > 0 -> key = DONE
		fi;
		if
		:: epoch > 1 -> epoch--
		:: epoch > 2 -> epoch = 1
		:: true
		fi;
		if
		:: token = NOBODY; over = 1; settled = 0
		:: token = FORMER; over = 0; settled = 0
		:: manifest.epoch != 0 -> token = FORMER; over = 1; settled = FINISHED
		:: S[1].stage != IDLE && FINISHED -> token = 1; over = 0; settled = 0
		fi }
}

#define FINE (settled && ((key == DONE && result != 0 && STANDS && (NAMES_MANIFEST || rolled_back)) || \
                         (key == FAILED && manifest.epoch != 0)))

/* When nothing can happen any more. */
proctype Judge()
{
end:	timeout -> assert(FINE)
}

init {
	atomic {
		run Settle(1);
		run Settle(2);
		run Work();
		run Move();
		run Clock();
		run Vanish();
		run Rollback();
		run Judge()
	}
}

ltl settles { <>[] FINE }
