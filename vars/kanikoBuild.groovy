// Builds and pushes one container image with Kaniko, on an agent whose pod template `jenkins-kaniko sync` made.
//
// This file decides where a build runs and whether it runs again. kanikoArguments turns options into the engine's
// arguments, kanikoAgent brings up agents, kanikoSource brings the build context there, kanikoBuilder works in the
// builder container, kanikoCredentials binds what Jenkins keeps secret, kanikoFailure explains a failed build,
// kanikoResult tells of a good one.
// CPS: what is annotated NonCPS is pure and calls no step, and nothing that cannot be saved with the build (a
// Matcher, a lazy JSON map) lives across a step.

import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** See kanikoBuild.txt. */
def call(Map options = [:]) {
    return resultOf(options, env.NODE_NAME == null)
}

/** The same in a pod that no other build uses, wherever it is called; for kanikoBuildAll. */
Map onItsOwnAgent(Map options) {
    return resultOf(options, true)
}

private Map resultOf(Map given, boolean ownAgent) {
    Map table = kanikoTable.read('engines.json')
    Map options = checked(given, null, table)
    Map outcome = outcomeOf(options, ownAgent, table)
    if (outcome.failure) {
        error("kanikoBuild: ${options.image}: ${outcome.failure.text}")
    }
    return outcome.result
}

/** [result: …] or [failure: …], also of what a step of Jenkins throws; the errors of this step go through. */
private Map outcomeOf(Map options, boolean ownAgent, Map table) {
    try {
        Map builder = ownAgent ? null : builderHere(options, table)
        return builder ? built(options, builder, table) : elsewhere(options, table)
    } catch (FlowInterruptedException stopped) {
        throw stopped
    } catch (Exception failure) {
        if (failure.message?.startsWith('kanikoBuild: ')) {
            throw failure
        }
        return [failure: kanikoBuilder.explained([exception: kanikoBuilder.described(failure)])]
    }
}

/** The builder of this node; null if it has none, or if the pipeline wants that of another agent. */
private Map builderHere(Map options, Map table) {
    Map builder = kanikoBuilder.found(options, table)
    boolean wanted = !options.agent || options.agent == builder?.template ||
        options.agent in (env.NODE_LABELS ?: '').tokenize()
    if (builder && !wanted) {
        echo("kanikoBuild: this node is not of the agent '${options.agent}'; the build goes there")
        return null
    }
    return builder
}

/** The options with their defaults; all mistakes at once. Before it is known which builder it will be, that is null. */
private Map checked(Map given, Map builder, Map table) {
    String problem = kanikoOptions.problems(given, builder, table)
    if (problem) {
        error("kanikoBuild: ${problem}")
    }
    return kanikoOptions.complete(given, table)
}

/** Here. Returns [result: …] or [failure: …]. */
private Map built(Map given, Map builder, Map table) {
    Map options = checked(given, builder, table)
    Map outcome = kanikoBuilder.build(options, builder + [labels: kanikoSource.labels(options)], table)
    if (outcome.result) {
        kanikoResult.told(outcome.result)
    }
    return outcome
}

/** In a new pod; where that was lost, or its memory did not suffice, once more in another one. */
private Map elsewhere(Map options, Map table) {
    Map agent = kanikoAgent.offered(options, table)
    checked(options, agent.builder, table)
    if (agent.packaged) {
        echo("kanikoBuild: no pod template on this controller has the label '${agent.label}': the packaged agent pod " +
            "is used. 'jenkins-kaniko sync' brings your own template here")
    }
    Map source = kanikoSource.kept(options)
    Map outcome = onAgent(agent, options, source, table)
    Map failure = outcome.failure
    boolean lessMemory = failure?.retry == 'less memory'
    if (options.retries > 0 && (lessMemory || failure?.agentLost)) {
        String how = lessMemory ? ', with less memory in use' : ''
        echo("kanikoBuild: ${options.image}: ${failure.cause}; once more in a new pod${how}")
        outcome = onAgent(agent, options, source + [lessMemory: lessMemory], table)
    }
    kanikoSource.fetched(outcome, source)
    return outcome
}

private Map onAgent(Map agent, Map options, Map source, Map table) {
    return kanikoAgent.allocated(agent, options) { Map progress ->
        Map there = kanikoSource.brought(options, source)
        Map builder = kanikoBuilder.found(there, table)
        if (!builder) {
            error("kanikoBuild: the pod of the agent '${agent.label}' has no builder container")
        }
        progress.building = true
        Map outcome = built(there, builder + [lessMemory: source.lessMemory], table)
        kanikoSource.handedOver(outcome, source)
        return outcome
    }
}
