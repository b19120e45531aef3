/** What processes cost, as the kernel counts it: the same ruler for every tool. */
import { readdirSync, readFileSync } from 'node:fs';

const MS_PER_TICK = 10; // USER_HZ is 100 for user space on every architecture

/** CPU time of all threads of a process so far, in milliseconds; in steps of 10 where schedstats are off. */
export function cpuMs(pid: number): number {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    const ns = tasks.map((task) =>
      Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
    );
    return ns.reduce((sum, each) => sum + each, 0) / 1e6;
  } catch {
    const [user, system] = statFields(pid);
    return (user! + system!) * MS_PER_TICK;
  }
}

/** CPU time of the children that a process has waited for, and of theirs, in milliseconds. */
export function childrenCpuMs(pid: number): number {
  const [, , user, system] = statFields(pid);
  return (user! + system!) * MS_PER_TICK;
}

/** utime, stime, cutime, cstime of proc_pid_stat(5). */
function statFields(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number);
}

/** Resident memory, in MB. */
export function rssMb(pid: number): number {
  return statusMb(pid, 'VmRSS');
}

/** The most that it was, since its start or since 5 was written to /proc/PID/clear_refs. */
export function peakRssMb(pid: number): number {
  return statusMb(pid, 'VmHWM');
}

function statusMb(pid: number, field: string): number {
  const kb = new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1];
  return Number(kb) / 1024;
}
