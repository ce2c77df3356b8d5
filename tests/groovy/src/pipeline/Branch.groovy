package pipeline

import groovy.transform.CompileStatic
import java.util.concurrent.CopyOnWriteArrayList
import java.util.concurrent.atomic.AtomicReference

/**
 * One line of execution, and how timeouts and aborts reach it.
 *
 * An interruption is only noted here; steps that wait look for it with `check()`. Threads are never interrupted, so
 * the clean-up of a pod cannot be cut short half-way.
 */
@CompileStatic
class Branch {
    private final AtomicReference<Throwable> pending = new AtomicReference<>()
    private final List<Branch> children = new CopyOnWriteArrayList<>()

    Branch child() {
        Branch child = new Branch()
        children.add(child)
        return child
    }

    void remove(Branch child) { children.remove(child) }

    void interrupt(Throwable cause) {
        if (children.empty) {
            pending.set(cause)
        }
        children.each { Branch child -> child.interrupt(cause) }
    }

    /** Forgets an interruption that came too late. */
    void forgive(Throwable cause) { pending.compareAndSet(cause, null) }

    /** Throws the interruption, once. */
    void check() {
        Throwable cause = pending.getAndSet(null)
        if (cause) {
            throw cause
        }
    }

    void pause(long millis) {
        long end = System.currentTimeMillis() + millis
        check()
        while (System.currentTimeMillis() < end) {
            Thread.sleep(Math.max(1L, Math.min(50L, end - System.currentTimeMillis())))
            check()
        }
    }
}
