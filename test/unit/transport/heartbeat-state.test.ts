import { expect } from 'chai'
import { HeartbeatState } from '../../../runtime/transport/heartbeat-state.ts'
import type { HeartbeatEvent, HeartbeatInstruction } from '../../../runtime/transport/heartbeat-state.ts'

type Step = readonly [event: HeartbeatEvent<string>, instructions: HeartbeatInstruction<string>[]]

const add = (peer: string, nowMs: number): HeartbeatEvent<string> => ({ type: 'add', peer, nowMs })
const heard = (peer: string, nowMs: number): HeartbeatEvent<string> => ({ type: 'received', peer, nowMs })
const tick = (nowMs: number): HeartbeatEvent<string> => ({ type: 'tick', nowMs })
const ping = (peer: string): HeartbeatInstruction<string> => ({ type: 'ping', peer })
const dead = (peer: string, silentMs: number): HeartbeatInstruction<string> => ({ type: 'dead', peer, silentMs })
const late = (lateMs: number): HeartbeatInstruction<string> => ({ type: 'late', lateMs })

/** With an interval of 10 and 3 misses. */
const table: readonly (readonly [title: string, steps: readonly Step[]])[] = [
  [
    'pings every peer at every tick',
    [
      [tick(0), []],
      [add('a', 1), []],
      [add('b', 2), []],
      [tick(10), [ping('a'), ping('b')]],
      [tick(20), [ping('a'), ping('b')]],
    ],
  ],
  [
    'tells of a peer that was silent for more than three intervals, once',
    [
      [add('a', 0), []],
      [tick(10), [ping('a')]],
      [tick(20), [ping('a')]],
      [tick(30), [ping('a')]],
      [tick(40), [dead('a', 40)]],
      [tick(50), []],
    ],
  ],
  [
    'begins anew with every sign of life',
    [
      [add('a', 0), []],
      [tick(10), [ping('a')]],
      [tick(20), [ping('a')]],
      [tick(30), [ping('a')]],
      [heard('a', 39), []],
      [tick(40), [ping('a')]],
      [tick(50), [ping('a')]],
      [tick(60), [ping('a')]],
      [tick(69), [ping('a')]],
      [tick(70), [dead('a', 31)]],
    ],
  ],
  [
    'says nothing of a peer that was removed, and does not take it back for a late message',
    [
      [add('a', 0), []],
      [{ type: 'remove', peer: 'a' }, []],
      [heard('a', 5), []],
      [tick(10), []],
    ],
  ],
  [
    'gives everybody a whole new period, when it was itself late by more than an interval',
    [
      [add('a', 0), []],
      [add('b', 0), []],
      [tick(10), [ping('a'), ping('b')]],
      [tick(1010), [late(990), ping('a'), ping('b')]],
      [tick(1020), [ping('a'), ping('b')]],
      [heard('a', 1025), []],
      [tick(1030), [ping('a'), ping('b')]],
      [tick(1040), [ping('a'), ping('b')]],
      [tick(1050), [ping('a'), dead('b', 40)]],
    ],
  ],
  [
    'is not late by a little',
    [
      [add('a', 0), []],
      [tick(10), [ping('a')]],
      [tick(30), [ping('a')]],
      [tick(50), [dead('a', 50)]],
    ],
  ],
]

describe('HeartbeatState', () => {
  for (const [title, steps] of table)
    it(title, () => {
      const state = new HeartbeatState<string>({ intervalMs: 10, misses: 3 })
      steps.forEach(([event, expected], i) => expect(state.handle(event), `step ${i}`).to.deep.equal(expected))
    })

  it('refuses options that could never tell anything', () => {
    expect(() => new HeartbeatState({ intervalMs: 0, misses: 3 })).to.throw(RangeError)
    expect(() => new HeartbeatState({ intervalMs: 10, misses: NaN })).to.throw(RangeError)
  })
})
