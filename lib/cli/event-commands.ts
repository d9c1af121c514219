/** The words, examples and exit codes of the commands that read what owners wrote down about their tasks. */
import { Option, type Command } from 'commander'
import * as values from './option-values.ts'
import type { EventFlags } from './task-files.ts'
import type { TasksFlags } from './tasks.ts'

const states = ['queued', 'pushed', 'finished', 'failed', 'cancelled']

const source = `
A program that runs with OUTPOOL_EVENTS=1 writes down what happens to its tasks: in the folder events of Outpool's folder
on its machine, or in the folder that OUTPOOL_EVENTS names. The workers of a node write down the tasks that their tasks
submit when the node was started with the variable, on the machine of the node; a worker that is killed takes its last
quarter of a second with it. The command reads the files of this machine; move others here, into the folder of the same
job, to have them too. The files of the last 100 jobs are kept, up to 2 GiB.
`

export function addEventCommands(outpool: Command, after: string): void {
  addTasks(outpool, after)
  addWhy(outpool, after)
  addTimeline(outpool, after)
}

function withFiles(command: Command): Command {
  return command
    .option(
      '--job <id>',
      'the job, by the beginning of its id (default: the one that was written to last)',
      values.something,
    )
    .option(
      '--events <folder>',
      'where the files are (default: what OUTPOOL_EVENTS says, else the usual folder)',
      values.something,
    )
}

function addTasks(outpool: Command, after: string): void {
  withFiles(outpool.command('tasks'))
    .description('list the tasks of a job: how each ended, where it ran, how often it was tried')
    .addOption(new Option('--state <state>', 'only those that are').choices(states))
    .option('--limit <number>', 'so many of the last', values.count, 100)
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `${source}
Examples:
  OUTPOOL_EVENTS=1 node app.js && outpool tasks
  outpool tasks --state failed --json
${after}`,
    )
    .action(async (flags: TasksFlags) => (await import('./tasks.ts')).tasks(flags))
}

function addWhy(outpool: Command, after: string): void {
  withFiles(outpool.command('why <task>'))
    .description('tell the story of a task, with causes: queued, sent, recalled, retried, fenced, ended')
    .option('--json', 'print one JSON object')
    .addHelpText(
      'after',
      `${source}
TASK is owner:number as outpool tasks shows it and as context().task.id is in the task itself.

Examples:
  outpool why 3f9ac01288de4410:1a
  outpool why 3f9a:1a --job 3f9a --json
${after}`,
    )
    .action(async (task: string, flags: EventFlags) => (await import('./why.ts')).why(task, flags))
}

function addTimeline(outpool: Command, after: string): void {
  withFiles(outpool.command('timeline'))
    .description(
      'print the tasks, leases and transfers of a job as a trace for chrome://tracing, ui.perfetto.dev or speedscope',
    )
    .addHelpText(
      'after',
      `${source}
It is JSON in the trace event format. Nodes are processes, workers threads; each worker has a second row for its leases.
Each process that values were brought to has a row for transfers, with key, bytes and where they came from.

Examples:
  outpool timeline > trace.json
  outpool timeline --job 3f9a > trace.json
${after}`,
    )
    .action(async (flags: EventFlags) => (await import('./timeline.ts')).timeline(flags))
}
