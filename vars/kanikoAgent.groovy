// The agent that a build runs on when it is not called on one with a builder: a synced template's, or the packaged pod.

import com.cloudbees.groovy.cps.NonCPS
import jenkins.model.Jenkins
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/**
 * What the controller has for a build: label; packaged, true when no template has it and the packaged pod is used;
 * builder, the [distribution, version] that the pod will have, null when that cannot be known before.
 */
Map offered(Map options, Map table) {
    String label = labelFor(options)
    Map known = lookedUp(label)
    if (known.provided == false) {
        Map packaged = table.engines.kaniko
        return [label: label, packaged: true, builder: [distribution: packaged.distribution, version: packaged.version]]
    }
    return [label: label, packaged: false, builder: builderOf(known.yaml ?: '')]
}

/** Of the agent that a build with these options runs on, where it brings one up. */
@NonCPS
String labelFor(Map options) {
    return options.agent ?: options.engine ?: 'kaniko'
}

/**
 * Runs body on a new agent and returns what it returns. Where the agent is lost, or is refused before it came up, that
 * is [failure: what kanikoFailure says], with agentLost if it is worth another agent. The body gets a map and sets
 * `building` in it once the engine is about to run: an agent that is lost after that was probably killed for its
 * memory, which makes the retry 'less memory'.
 */
Map allocated(Map agent, Map options, Closure body) {
    Map progress = [started: false, node: null, building: false, over: false, outcome: null]
    parallel(
        'kanikoBuild': { inPod(agent, progress, body) },
        'wait for an agent': { watch(agent, options, progress) },
        failFast: true
    )
    return progress.outcome
}

private void inPod(Map agent, Map progress, Closure body) {
    try {
        if (agent.packaged) {
            String yaml = libraryResource(resource: 'jenkins_kaniko/agents/kaniko.yaml', encoding: 'UTF-8')
            // inside another podTemplate it would get the containers of that too
            podTemplate(inheritFrom: '', yaml: yaml) {
                onNode(POD_LABEL, progress, body)
            }
        } else {
            onNode(agent.label, progress, body)
        }
    } catch (FlowInterruptedException stopped) {
        Map found = progress.outcome ? null : interrupted(agent, progress, causesOf(stopped))
        if (!found) {
            throw stopped
        }
        progress.outcome = [failure: found]
    } catch (Exception failure) {
        Map found = progress.started && !progress.outcome ? lost(progress, kanikoBuilder.described(failure)) : null
        // what the step itself refused, and what has nothing to do with the agent
        if (!found || found.retry == 'never' || failure.message?.startsWith('kanikoBuild: ')) {
            throw failure
        }
        progress.outcome = [failure: found]
    } finally {
        progress.over = true
    }
}

private void onNode(String label, Map progress, Closure body) {
    node(label) {
        progress.started = true
        progress.node = env.NODE_NAME
        progress.outcome = body.call(progress)
    }
}

/** `node` waits for ever: for an image that cannot be pulled, a pod that fits nowhere, a quota that is used up. */
private void watch(Map agent, Map options, Map progress) {
    long start = System.currentTimeMillis()
    long limit = (options.agentTimeoutMinutes * 60000) as long
    long pause = 500
    while (!progress.started && !progress.over) {
        if (System.currentTimeMillis() - start >= limit) {
            error("kanikoBuild: no agent '${agent.label}' came up within ${options.agentTimeoutMinutes} minutes " +
                "(agentTimeoutMinutes). The lines above tell what its pod waits for; 'jenkins-kaniko doctor' finds " +
                "what is wrong with cluster, image and rights")
        }
        sleep(time: pause, unit: 'MILLISECONDS')
        pause = Math.min(pause * 2, 10000)
    }
}

/** What ended the agent, or the wait for it; null where somebody stopped the build, or may have. */
private Map interrupted(Map agent, Map progress, String causes) {
    if (causes == null) {
        echo("kanikoBuild: interrupted, and the sandbox of this library does not let it ask by whom. If nobody stopped " +
            "this build, its agent '${agent.label}' was lost or could not come up: the lines above tell why, and " +
            "'jenkins-kaniko doctor' finds what is wrong with cluster, image and rights")
        return null
    }
    if (progress.started) {
        return causes.contains('RemovedNodeCause') ? lost(progress, "Agent ${progress.node} was removed") : null
    }
    return causes.contains('QueueTaskCancelled') ? kanikoBuilder.explained([exception: 'Queue task was cancelled']) : null
}

private Map lost(Map progress, String exception) {
    Map found = kanikoBuilder.explained([exception: exception])
    boolean again = found.retry != 'never'
    return again ? found + [agentLost: true, retry: progress.building ? 'less memory' : 'again'] : found
}

/** The kinds of what interrupted; null where a sandbox forbids to ask. */
@NonCPS
String causesOf(FlowInterruptedException interruption) {
    try {
        return interruption.causes.collect { it.toString() }.join(' ')
    } catch (Exception refused) {
        return null
    }
}

/**
 * [provided: whether a cloud or an agent has this label, yaml: of the template that has it].
 * A sandboxed library may not ask: then nothing is known, and `node` waits.
 */
@NonCPS
private Map lookedUp(String label) {
    try {
        def found = Jenkins.get().getLabel(label)
        boolean provided = found != null && !(found.isEmpty() && found.clouds.isEmpty())
        def template = provided ? found.clouds.findResult { it.getTemplate(found) } : null
        return [provided: provided, yaml: template?.yaml]
    } catch (Exception refused) {
        return [:]
    }
}

/** What `sync` wrote into the builder's environment; a builder without a version is of an unknown image. */
@NonCPS
private Map builderOf(String yaml) {
    if (!yaml.contains('name: JENKINS_KANIKO_ENGINE')) {
        return null
    }
    return [distribution: environment(yaml, 'DISTRIBUTION'), version: environment(yaml, 'VERSION')]
}

@NonCPS
private String environment(String yaml, String name) {
    def matcher = yaml =~ /- name: JENKINS_KANIKO_${name}\s+value: '?([^'\s]+)/
    return matcher.find() ? matcher.group(1) : null
}
