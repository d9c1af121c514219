/** All soaks by name. */
import * as apart from './apart.ts'
import * as chaos from './chaos.ts'
import * as computing from './computing.ts'
import * as fuzz from './fuzz.ts'
import * as headRestarted from './head-restarted.ts'
import * as lineage from './lineage.ts'
import * as mixed from './mixed.ts'
import * as nodes from './nodes.ts'
import * as objects from './objects.ts'
import * as packageManagers from './package-managers.ts'
import * as scale from './scale.ts'
import * as simulation from './simulation.ts'
import type { Soak } from './soak.ts'
import * as uninvited from './uninvited.ts'
import * as workersKilled from './workers-killed.ts'

export const soaks: Readonly<Record<string, Soak>> = {
  scale: scale.counted,
  million: scale.million,
  'workers-killed': workersKilled.retried,
  'workers-once': workersKilled.notRetried,
  'node-stopped': nodes.stopped,
  'nodes-killed': nodes.killed,
  'home-killed': nodes.homeKilled,
  'head-stopped': nodes.headStopped,
  'head-restarted': headRestarted.restarted,
  'busy-driver': nodes.busyDriver,
  objects: objects.churned,
  'objects-full': objects.filled,
  'objects-shared': objects.shared,
  lineage: lineage.rebuilt,
  mixed: mixed.drawn,
  chaos: chaos.everything,
  computing: computing.long,
  netns: apart.netns,
  fuzz: fuzz.decoded,
  simulation: simulation.histories,
  uninvited: uninvited.refused,
  'package-managers': packageManagers.installed,
}
