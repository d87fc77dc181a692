/** Recognizes the pod of a process by its cgroup. */

/**
 * Returns true if `/proc/PID/cgroup` names this pod, in every hierarchy that belongs to the kubelet. The kubelet's
 * cgroupfs driver makes `/kubepods/burstable/podUID/…`, and its systemd driver
 * `/kubepods.slice/…/kubepods-burstable-podUID.slice/…` with underscores in the UID; a cgroup namespace shows
 * the same behind `/..`. Cgroup v1 has a line for each controller, v2 one line.
 */
export function belongsToPod(cgroupFile: string, uid: string): boolean {
  const names = new Set([
    `pod${uid}`,
    ...['', 'burstable-', 'besteffort-'].map(
      (quality) => `kubepods-${quality}pod${uid.replaceAll('-', '_')}.slice`,
    ),
  ])
  const paths = cgroupFile
    .split('\n')
    .map((line) => line.replace(/^\d+:[^:]*:/, '').split('/'))
    .filter((segments) => segments.some((segment) => /pod[\da-f]/i.test(segment)))
  return paths.length > 0 && paths.every((segments) => segments.some((name) => names.has(name)))
}
