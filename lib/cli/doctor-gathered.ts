/** Findings for people: what is the same of many nodes of a large cluster is said once. */
import type { Finding } from './doctor-machine.ts'

/** Of fewer nodes each has its own line. */
const fewestGathered = 4
/** Of those with a problem so many are named. */
const named = 3

/** In the order of the first of each. */
export function gathered(findings: readonly Finding[]): Finding[] {
  const groups = new Map<string, Finding[]>()
  for (const [at, finding] of findings.entries()) {
    const { state, many } = finding
    const key = many === undefined ? String(at) : JSON.stringify([state, many.found, many.advice])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [finding])
    else group.push(finding)
  }
  return [...groups.values()].flatMap((group) => (group.length < fewestGathered ? group : [asOne(group)]))
}

function asOne(group: readonly Finding[]): Finding {
  const { state, many } = group[0] as Finding
  const nodes = group.map((finding) => finding.many?.node)
  const names = `${nodes.slice(0, named).join(', ')} and ${nodes.length - named} more, see --json`
  const check = `${nodes.length} nodes${state === 'ok' ? '' : ` (${names})`}`
  return { check, state, found: many?.found ?? '', advice: many?.advice ?? '' }
}
