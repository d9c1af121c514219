/** `outpool doctor`: looks for what keeps a machine or a cluster from working, and says what to do. */
import { endedRecords } from '../../runtime/cluster/node-records.ts'
import { findCluster, howItEnded } from './cluster-address.ts'
import type { ClusterFlags } from './cluster-address.ts'
import { certificateFindings } from './doctor-certificates.ts'
import { clusterFindings, notFound } from './doctor-cluster.ts'
import { machineFindings } from './doctor-machine.ts'
import type { Finding } from './doctor-machine.ts'
import { roomFindings } from './doctor-room.ts'
import { exitCodes } from './exit-codes.ts'
import { gathered } from './doctor-gathered.ts'
import { coloured, counted } from './tables.ts'

export interface DoctorFlags extends ClusterFlags {
  /** false with --no-cluster: this machine alone. */
  readonly cluster: boolean
}

const tones = { ok: 'green', warning: 'yellow', failure: 'red' } as const

export async function doctor(flags: DoctorFlags): Promise<void> {
  const findings = [
    ...machineFindings(),
    ...roomFindings(),
    ...certificateFindings(),
    ...endedFindings(),
    ...(flags.cluster ? await aboutCluster(flags) : []),
  ]
  const count = (state: Finding['state']): number => findings.filter((one) => one.state === state).length
  if (flags.json) {
    const rows = findings.map(({ check, state, found, advice }) => ({ check, state, found, advice }))
    console.log(
      JSON.stringify({ failures: count('failure'), warnings: count('warning'), findings: rows }, undefined, 2),
    )
  } else {
    for (const { state, check, found, advice } of gathered(findings)) {
      console.log(`${coloured(tones[state], state.padEnd(7))}  ${check}: ${found}`)
      if (advice !== '') console.log(`         ${advice}`)
    }
    console.log(`\n${findings.length} checks: ${count('failure')} failed, ${count('warning')} with a warning.`)
  }
  if (count('failure') > 0) process.exitCode = exitCodes.failure
}

/** Nodes of this machine whose end nobody was told of yet. */
function endedFindings(): Finding[] {
  const advice = 'When that is mended, start it again; outpool stop forgets it.'
  return endedRecords().map((record) => {
    return { check: 'node that ended', state: 'warning' as const, found: howItEnded(record), advice }
  })
}

async function aboutCluster(flags: DoctorFlags): Promise<Finding[]> {
  try {
    const onAsked = progress()
    return await clusterFindings(await findCluster(flags), { turn: Math.random(), ...(onAsked && { onAsked }) })
  } catch (error) {
    return [notFound(error as Error)]
  }
}

/** A line that tells how far it is, where somebody looks on: among many nodes it takes a while. */
function progress(): ((asked: number, of: number) => void) | undefined {
  if (!process.stderr.isTTY) return undefined
  return (asked, of) => {
    process.stderr.write(asked < of ? `\rasked ${asked} of ${counted(of, 'node')} ` : '\r\u001B[K')
  }
}
