package pipeline

import groovy.transform.CompileStatic

/**
 * What surrounds a step: the agent, container, folder and environment its enclosing blocks have set.
 *
 * Never changed; a block runs its body with a copy (`plus`), so leaving the block needs no undoing.
 */
@CompileStatic
class Context {
    private static final ThreadLocal<Context> CURRENT = new ThreadLocal<>()

    final Branch branch
    final Agent agent
    final String container
    final String shell
    final String folder
    /** Pod templates of enclosing podTemplate steps, by label. */
    final Map<String, Object> pods
    final Map<String, String> env

    Context(Map<String, Object> values) {
        branch = (Branch) values.branch
        agent = (Agent) values.agent
        container = values.container
        shell = values.shell
        folder = values.folder
        pods = ((Map<String, Object>) values.pods ?: [:]).asImmutable()
        env = ((Map<String, String>) values.env ?: [:]).asImmutable()
    }

    /** The context of the pipeline code that this thread is running, for variables like env. */
    static Context getCurrent() { CURRENT.get() }

    static void setCurrent(Context context) { CURRENT.set(context) }

    Context plus(Map<String, Object> changes) {
        Map<String, Object> values = [branch: branch, agent: agent, container: container, shell: shell, folder: folder,
                                      pods: pods, env: env]
        return new Context(values + changes)
    }
}
