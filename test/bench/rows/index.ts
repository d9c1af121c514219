/** The rows in the order of the table; what takes longest comes last, where a slow machine runs out of time. */
import type { Row } from '../stage.ts'
import { argument } from './argument.ts'
import { even, uneven } from './balance.ts'
import { bare } from './bare.ts'
import { captures } from './captures.ts'
import { install, load } from './install.ts'
import { memory } from './memory.ts'
import { queueNodes, sharedNode, threeNodes } from './nodes.ts'
import { noop } from './noop.ts'
import { putting, refs } from './objects.ts'
import { oneByOne } from './one-by-one.ts'
import { poolMap } from './pool-map.ts'
import { queue } from './queue.ts'
import { queuesNoop, queuesWork, shimNoop, shimWork } from './shims.ts'
import { start } from './start.ts'
import { transfer } from './transfer.ts'

export const rows: readonly Row[] = [
  noop,
  bare,
  oneByOne,
  even,
  uneven,
  poolMap,
  start,
  memory,
  threeNodes,
  sharedNode,
  shimNoop,
  shimWork,
  queuesNoop,
  queuesWork,
  queueNodes,
  argument,
  putting,
  refs,
  transfer,
  captures,
  install,
  load,
  queue,
]
