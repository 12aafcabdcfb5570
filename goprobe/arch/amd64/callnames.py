"""Names of Linux's system calls on amd64, by their numbers, and how many arguments each takes.

Source: Linux arch/x86/entry/syscalls/syscall_64.tbl (6.12), and the declarations in
include/linux/syscalls.h.
"""

from __future__ import annotations

_FIRST = """
read3 write3 open3 close1 stat2 fstat2 lstat2 poll3 lseek3 mmap6 mprotect3 munmap2 brk1
rt_sigaction4 rt_sigprocmask4 rt_sigreturn0 ioctl3 pread64:4 pwrite64:4 readv3 writev3 access2 pipe1
select5 sched_yield0 mremap5 msync3 mincore3 madvise3 shmget3 shmat3 shmctl3 dup1 dup2:2 pause0
nanosleep2 getitimer2 alarm1 setitimer3 getpid0 sendfile4 socket3 connect3 accept3 sendto6 recvfrom6
sendmsg3 recvmsg3 shutdown2 bind3 listen2 getsockname3 getpeername3 socketpair4 setsockopt5
getsockopt5 clone5 fork0 vfork0 execve3 exit1 wait4:4 kill2 uname1 semget3 semop3 semctl4 shmdt1
msgget2 msgsnd4 msgrcv5 msgctl3 fcntl3 flock2 fsync1 fdatasync1 truncate2 ftruncate2 getdents3
getcwd2 chdir1 fchdir1 rename2 mkdir2 rmdir1 creat2 link2 unlink1 symlink2 readlink3 chmod2 fchmod2
chown3 fchown3 lchown3 umask1 gettimeofday2 getrlimit2 getrusage2 sysinfo1 times1 ptrace4 getuid0
syslog3 getgid0 setuid1 setgid1 geteuid0 getegid0 setpgid2 getppid0 getpgrp0 setsid0 setreuid2
setregid2 getgroups2 setgroups2 setresuid3 getresuid3 setresgid3 getresgid3 getpgid1 setfsuid1
setfsgid1 getsid1 capget2 capset2 rt_sigpending2 rt_sigtimedwait4 rt_sigqueueinfo3 rt_sigsuspend2
sigaltstack2 utime2 mknod3 uselib1 personality1 ustat2 statfs2 fstatfs2 sysfs3 getpriority2
setpriority3 sched_setparam2 sched_getparam2 sched_setscheduler3 sched_getscheduler1
sched_get_priority_max1 sched_get_priority_min1 sched_rr_get_interval2 mlock2 munlock2 mlockall1
munlockall0 vhangup0 modify_ldt3 pivot_root2 _sysctl1 prctl5 arch_prctl2 adjtimex1 setrlimit2
chroot1 sync0 acct1 settimeofday2 mount5 umount2:2 swapon2 swapoff1 reboot4 sethostname2
setdomainname2 iopl1 ioperm3 create_module2 init_module3 delete_module2 get_kernel_syms1
query_module5 quotactl4 nfsservctl3 getpmsg5 putpmsg5 afs_syscall5 tuxcall3 security3 gettid0
readahead3 setxattr5 lsetxattr5 fsetxattr5 getxattr4 lgetxattr4 fgetxattr4 listxattr3 llistxattr3
flistxattr3 removexattr2 lremovexattr2 fremovexattr2 tkill2 time1 futex6 sched_setaffinity3
sched_getaffinity3 set_thread_area1 io_setup2 io_destroy1 io_getevents5 io_submit3 io_cancel3
get_thread_area1 lookup_dcookie3 epoll_create1 epoll_ctl_old4 epoll_wait_old4 remap_file_pages5
getdents64:3 set_tid_address1 restart_syscall0 semtimedop4 fadvise64:4 timer_create3 timer_settime4
timer_gettime2 timer_getoverrun1 timer_delete1 clock_settime2 clock_gettime2 clock_getres2
clock_nanosleep4 exit_group1 epoll_wait4 epoll_ctl4 tgkill3 utimes2 vserver5 mbind6 set_mempolicy3
get_mempolicy5 mq_open4 mq_unlink1 mq_timedsend5 mq_timedreceive5 mq_notify2 mq_getsetattr3
kexec_load4 waitid5 add_key5 request_key4 keyctl5 ioprio_set3 ioprio_get2 inotify_init0
inotify_add_watch3 inotify_rm_watch2 migrate_pages4 openat4 mkdirat3 mknodat4 fchownat5 futimesat3
newfstatat4 unlinkat3 renameat4 linkat5 symlinkat3 readlinkat4 fchmodat3 faccessat3 pselect6:6
ppoll5 unshare1 set_robust_list2 get_robust_list3 splice6 tee4 sync_file_range4 vmsplice4
move_pages6 utimensat4 epoll_pwait6 signalfd3 timerfd_create2 eventfd1 fallocate4 timerfd_settime4
timerfd_gettime2 accept4:4 signalfd4:4 eventfd2:2 epoll_create1:1 dup3:3 pipe2:2 inotify_init1:1
preadv5 pwritev5 rt_tgsigqueueinfo4 perf_event_open5 recvmmsg5 fanotify_init2 fanotify_mark5
prlimit64:4 name_to_handle_at5 open_by_handle_at3 clock_adjtime2 syncfs1 sendmmsg4 setns2 getcpu3
process_vm_readv6 process_vm_writev6 kcmp5 finit_module3 sched_setattr3 sched_getattr4 renameat2:5
seccomp3 getrandom3 memfd_create2 kexec_file_load5 bpf3 execveat5 userfaultfd1 membarrier3 mlock2:3
copy_file_range6 preadv2:6 pwritev2:6 pkey_mprotect4 pkey_alloc2 pkey_free1 statx5 io_pgetevents6
rseq4
"""
_LATER_FROM = 424
_LATER = """
pidfd_send_signal4 io_uring_setup2 io_uring_enter6 io_uring_register4 open_tree3 move_mount5
fsopen2 fsconfig5 fsmount3 fspick3 pidfd_open2 clone3:2 close_range3 openat2:4 pidfd_getfd3
faccessat2:4 process_madvise5 epoll_pwait2:6 mount_setattr5 quotactl_fd4 landlock_create_ruleset3
landlock_add_rule4 landlock_restrict_self2 memfd_secret1 process_mrelease2 futex_waitv5
set_mempolicy_home_node4 cachestat4 fchmodat2:4 map_shadow_stack3 futex_wake4 futex_wait6
futex_requeue4
"""


def _call(word: str) -> tuple[str, int]:
    name, colon, count = word.partition(":")
    return (name, int(count)) if colon else (word[:-1], int(word[-1]))


NAMES: dict[int, tuple[str, int]] = {
    number: _call(word)
    for first, words in ((0, _FIRST), (_LATER_FROM, _LATER))
    for number, word in enumerate(words.split(), first)
}
"""Name and number of arguments."""
