// The global variable `pipeline`: reads the whole block, then refuses it with all its mistakes or runs it with ordinary
// steps. Pipeline code itself, as in Jenkins, compiled when first used: so it survives a restart at every step.
import groovy.json.JsonSlurperClassic
import groovy.transform.Field
import java.nio.file.*
import pipeline.Build

@Field List mistakes = []
@Field Map root

def call(Closure definition) {
    if (root) { error 'Only one pipeline { ... } block can be executed in a single run.' }
    root = shared(read('pipeline', definition).settings())
    for (name in ['agent', 'stages']) { check(root[name], "Missing required section \"$name\"") }
    setParameters(root.parameters ? read('parameters', root.parameters).getCalls() : [])
    if (mistakes) { error "startup failed:\nWorkflowScript: ${mistakes.join('\nWorkflowScript: ')}" }
    boolean ended = false
    Closure body = {
        Throwable first = finish(root.post, sequence(root.stages, null), false)
        ended = true
        if (first) { throw first }
    }
    Throwable failed = attempt { inAgent(root) { inEnvironment(root.environment) { inWrappers(root.options, body) } } }
    failed = ended ? failed : finish(root.post, failed, false)
    if (failed) { throw failed }
}

/** Runs a block with a section as its first delegate; what it encloses is the script's. No variables: a rehearsal. */
private Section read(String kind, Closure block, Map variables = [:]) {
    Section section = new Section(kind, mistakes, variables)
    block.resolveStrategy = Closure.DELEGATE_FIRST
    block.delegate = section
    Throwable failed = attempt(block)
    block.delegate = block.owner
    if (failed && variables != null) { throw failed }
    return section
}

private void check(def fine, String mistake) { if (!fine) { mistakes << mistake } }

/** What the pipeline and a stage have in common. */
private Map shared(Map found) {
    agentOf(found, null)
    for (name in ['stages', 'parallel']) {
        List calls = found[name] ? read('stages', found[name]).getCalls() : []
        found[name] = calls.collect { readStage(it.args[0], it.args[1]) }
    }
    for (name in ['options', 'post']) { found[name] = found[name] ? read(name, found[name]).settings() : [:] }
    return found
}

private Map readStage(def name, Closure block) {
    Map found = shared(read('stage', block).settings())
    int works = ['parallel', 'stages', 'steps'].count { found[it] }
    check(works, "Expected one of \"steps\", \"stages\", or \"parallel\" for stage \"$name\"")
    check(works < 2, "Only one of \"matrix\", \"parallel\", \"stages\", or \"steps\" allowed for stage \"$name\"")
    check(!found.parallel || !found.agent, "\"agent\" is not allowed in stage \"$name\" as it contains parallel stages")
    check(!found.parallel.any { it.parallel || it.stages.any { inner -> inner.parallel } },
        'Parallel stages or branches can only be included in a top-level stage.')
    boolean early = found.when && conditions(found.when, null).any { it.name == 'beforeAgent' && it.args[0] }
    return found + [name: name.toString(), early: early]
}

private void setParameters(List declared) {
    Map given = Build.current.options.param ?: [:]
    Build.current.options.param = given + declared.collectEntries {
        Map says = [defaultValue: it.name == 'booleanParam' ? false : ''] + it.args[0]
        List choices = says.choices instanceof List ? says.choices : says.choices?.readLines()
        def value = given.containsKey(says.name) ? given[says.name] : choices ? choices[0] : says.defaultValue
        [(says.name): it.name == 'booleanParam' ? value.toString().toBoolean() : value]
    }
}

private List conditions(Closure block, Map variables) {
    List calls = read('when', block, variables).getCalls()
    List nested = variables == null ? calls.findAll { it.name in ['allOf', 'anyOf', 'not'] } : []
    nested.each { conditions(it.args[0], null) }
    return calls
}

private boolean passes(Closure block, boolean any = false) {
    for (call in (block ? conditions(block, [:]) : [])) {
        if (call.name != 'beforeAgent' && holds(call.name, call.args[0]) == any) { return any }
    }
    return !any
}

private boolean holds(String name, def given) {
    switch (name) {
        case 'branch':
            return FileSystems.default.getPathMatcher("glob:$given").matches(Paths.get(env.BRANCH_NAME ?: '/'))
        case 'environment': return env.getProperty(given.name) == given.value
        case 'equals': return given.expected == given.actual
        case 'expression': return given.call() ? true : false
        default: return passes(given, name == 'anyOf') != (name == 'not')
    }
}

/** Runs stages one after the other; the first failure, which is returned, skips the others. */
private Throwable sequence(List stages, String skipped) {
    Throwable first = null
    for (current in stages) {
        boolean unstable = root.options.skipStagesAfterUnstable && currentBuild.result == 'UNSTABLE'
        String earlier = unstable ? 'earlier stage(s) marking the build as unstable' : null
        String reason = first ? 'earlier failure(s)' : earlier
        first = attempt { runStage(current, skipped ?: reason) } ?: first
    }
    return first
}

private void runStage(Map current, String skipped) {
    stage(current.name) {
        String reason = skipped ?: 'when conditional'
        Closure body = {
            reason = current.early || passes(current.when) ? null : reason
            if (!reason) { inEnvironment(current.environment) { work(current) } }
        }
        Closure agent = { if (!current.early || passes(current.when)) { inAgent(current, body) } }
        if (!skipped) { inWrappers(current.options, agent) }
        if (reason) {
            Build.current.log.line("Stage \"$current.name\" skipped due to $reason")
            current.parallel ? branches(current, reason) : sequence(current.stages, reason)
        }
    }
}

private void work(Map current) {
    Throwable failed = current.stages ? sequence(current.stages, null)
        : attempt { current.parallel ? branches(current, null) : current.steps.call() }
    failed = finish(current.post, failed, true)
    if (failed) { throw failed }
}

private void branches(Map current, String skipped) {
    Map branches = current.parallel.collectEntries { branch -> [(branch.name): { runStage(branch, skipped) }] }
    parallel(branches + (current.failFast || root.options.parallelsAlwaysFailFast ? [failFast: true] : [:]))
}

private Throwable attempt(Closure body) {
    try { body.call() } catch (Throwable failed) { return failed }
    return null
}

/** Runs the post conditions that apply; the build's result is what they are to see. */
private Throwable finish(Map post, Throwable failed, boolean inStage) {
    boolean shown = !inStage || (post && resultOf(failed) == 'FAILURE')
    if (failed && shown) { currentBuild.result = resultOf(failed) }
    if (!post.keySet().any { applies(it, failed, inStage) }) { return failed }
    Throwable first = failed
    Closure conditions = {
        for (name in Section.known('post').findAll { post[it] }) {
            Throwable worse = applies(name, first, inStage) ? attempt(post[name]) : null
            if (worse) {
                currentBuild.result = resultOf(worse)
                Build.current.log.line("Error when executing $name post condition:")
                Build.current.log.failure(worse)
                first = first ?: worse
            }
        }
    }
    if (inStage) { Build.current.log.line('Post stage') }
    inStage ? conditions.call() : stage('Declarative: Post Actions', conditions)
    return first
}

/** There are no earlier builds to compare with. A stage succeeds even after another one failed the build. */
private boolean applies(String name, Throwable failed, boolean inStage) {
    String result = failed ? resultOf(failed) : currentBuild.currentResult
    if (name in ['failure', 'success'] && inStage && !failed && result == 'FAILURE') { return name == 'success' }
    return name in ['always', 'changed', 'cleanup'] || name.toUpperCase() == result.replace('_', '') ||
        (name == 'unsuccessful' && result != 'SUCCESS')
}

private String resultOf(Throwable failed) { failed instanceof InterruptedException ? failed.result : 'FAILURE' }

private def inWrappers(Map options, Closure body) {
    String outer = options.keySet().find { it in ['retry', 'timeout'] }
    return outer ? "$outer"(options[outer]) { inWrappers(options.findAll { it.key != outer }, body) } : body.call()
}

/** Type and settings of an agent as they are now. */
private Map agentOf(Map holder, Map variables) {
    if (!(holder.agent instanceof Closure)) { return [type: holder.agent] }
    def call = read('agent', holder.agent, variables).getCalls()[0]
    def given = call ? call.args[0] : null
    Map settings = given instanceof Closure ? read('settings', given, variables).settings() : [label: given]
    return settings + [type: call?.name]
}

/** A kubernetes agent inherits only what it names. */
private def inAgent(Map holder, Closure body) {
    Map agent = agentOf(holder, [:])
    Closure inside = { inWorkspace(agent, holder, body) }
    if (agent.type in [null, 'none']) { return body.call() }
    if (agent.type != 'kubernetes') { return agent.label ? node(agent.label, inside) : node(inside) }
    Map pod = [inheritFrom: ''] + agent - agent.subMap(['type', 'customWorkspace', 'defaultContainer', 'yamlFile'])
    if (agent.yamlFile) { pod.yaml = new File(Build.current.options.scm, agent.yamlFile).getText('UTF-8') }
    return podTemplate(pod) { node(agent.label ?: env.POD_LABEL, inside) }
}

private def inWorkspace(Map agent, Map holder, Closure body) {
    if (agent.customWorkspace) {
        Closure inside = { inWorkspace(agent + [customWorkspace: null], holder, body) }
        return dir(agent.customWorkspace) { withEnv(["WORKSPACE=$agent.customWorkspace"], inside) }
    }
    Map seen = [:]
    if (Build.current.options.scm && !root.options.skipDefaultCheckout && !holder.options.skipDefaultCheckout) {
        Closure checkout = { checkout(scm) }
        seen = holder.is(root) ? stage('Declarative: Checkout SCM', checkout) : checkout.call()
    }
    Closure inside = agent.defaultContainer in [null, 'jnlp'] ? body : { container(agent.defaultContainer, body) }
    return withEnv(seen.collect { "$it.key=$it.value".toString() }, inside)
}

/** Credentials come first, so that the other variables can use theirs. */
private def inEnvironment(Closure declared, Closure body) {
    if (!declared) { return body.call() }
    Map secrets = read('environment', declared, null).getAssigned().findAll { it.value instanceof Map }
    Closure inside = {
        Map values = read('environment', declared, env.getEnvironment()).getAssigned() - secrets
        withEnv(values.collect { "$it.key=$it.value".toString() }, body)
    }
    List bindings = secrets.collect { bindings(it.key, it.value.args[0]) }.flatten()
    return bindings ? withCredentials(bindings, inside) : inside.call()
}

/** NAME, NAME_USR and NAME_PSW, or NAME alone. */
private List bindings(String name, String id) {
    String store = Build.current.options.credentials
    String type = (store ? new JsonSlurperClassic().parse(new File(store)) : [:])[id]?.type
    return type != 'usernamePassword' ? ["${type ?: 'string'}"(credentialsId: id, variable: name)]
        : [usernameColonPassword(credentialsId: id, variable: name),
           usernamePassword(credentialsId: id, usernameVariable: name + '_USR', passwordVariable: name + '_PSW')]
}
