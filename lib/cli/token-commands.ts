/** The words, examples and exit codes of `outpool token`. */
import type { Command } from 'commander'
import type { ClusterFlags } from './cluster-address.ts'
import { clusterOption } from './option-values.ts'
import type { RotateFlags } from './token.ts'

const steps = `
A move to another token has three steps, and no connection is refused in any of them:

  1. every node accepts the new token too      outpool token rotate does 1 and 2
  2. every node shows the new one
  3. every node refuses the old one            outpool token retire

Between 2 and 3 is the time to give the new token to other machines and programs. A node takes it into its own token
file; its workers, and the programs that have it as their home, learn it from it. A token file may be changed by hand as
well: its first line is shown to others, a second one is accepted too, and nodes and programs read it again when it
changes (nodes within a second, or at once on SIGHUP). Connections that stand are not closed.
`

/** `after` ends the help of each: the token and the exit codes. */
export function addTokenCommands(outpool: Command, after: string): void {
  const token = outpool
    .command('token')
    .description('which tokens the nodes of a cluster have; moves a running cluster to another one')
    .addHelpText(
      'after',
      `${steps}
Tokens are told by fingerprints.

Examples:
  outpool token status
  outpool token rotate && scp ~/.outpool/token other:.outpool/token && outpool token retire
${after}`,
    )
  addStatus(token, after)
  addRotate(token, after)
  addRetire(token, after)
}

function withCluster(command: Command): Command {
  return command.addOption(clusterOption('the cluster')).option('--json', 'print one JSON object')
}

function addStatus(token: Command, after: string): void {
  withCluster(token.command('status').description('show which tokens each node shows and accepts, by fingerprint'))
    .addHelpText('after', `\nExamples:\n  outpool token status\n  outpool token status --json\n${after}`)
    .action(async (flags: ClusterFlags) => (await import('./token.ts')).tokenStatus(flags))
}

function addRotate(token: Command, after: string): void {
  withCluster(token.command('rotate').description('make a new token and move every node to it; the old one stays good'))
    .option('--retire', 'go on to step 3 at once: the old token is refused from then on')
    .addHelpText('after', `${steps}\nExamples:\n  outpool token rotate\n  outpool token rotate --retire\n${after}`)
    .action(async (flags: RotateFlags) => (await import('./token.ts')).rotateToken(flags))
}

function addRetire(token: Command, after: string): void {
  withCluster(token.command('retire').description('refuse the old token from now on'))
    .addHelpText('after', `${steps}\nExamples:\n  outpool token retire\n${after}`)
    .action(async (flags: ClusterFlags) => (await import('./token.ts')).retireToken(flags))
}
