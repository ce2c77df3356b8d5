// Builds many images, each in a pod of its own and a few at a time; says how all of them went, then fails if one did.

import com.cloudbees.groovy.cps.NonCPS
import org.jenkinsci.plugins.workflow.steps.FlowInterruptedException

/** See kanikoBuildAll.txt. Returns a result for each build, in the order given. */
List<Map> call(List builds) {
    return call([builds: builds])
}

List<Map> call(Map given) {
    Map named = given.containsKey('builds') ? given : [builds: given]
    String wrong = wrongForm(named)
    if (wrong) {
        error("kanikoBuildAll: ${wrong}")
    }
    Map table = kanikoTable.read('engines.json')
    List<Map> builds = buildsOf(named, table)
    String mistakes = mistakesOf(named, builds, table)
    if (mistakes) {
        error("kanikoBuildAll: ${mistakes}")
    }
    if (!builds) {
        echo('kanikoBuildAll: nothing to build')
        return []
    }
    List<Map> results = built(builds, named.maxParallel ?: 4, named.failFast ?: false)
    List<String> failed = failedOf(results)
    if (failed) {
        error("kanikoBuildAll: ${failed.size()} of ${builds.size()} builds failed: ${failed.join(', ')}")
    }
    return results
}

private String mistakesOf(Map named, List<Map> builds, Map table) {
    List<Map> rows = table.options + [[option: 'builds'], [option: 'maxParallel'], [option: 'failFast']]
    List<String> found = kanikoOptions.unknown('unknown option', named, rows) + repeatedNames(builds)
    Map agents = [:]
    for (build in builds) {
        String problem = problemOf(kanikoOptions.complete(build.options, table), agents, table)
        if (problem) {
            found.add("${build.name}: ${problem}".toString())
        }
    }
    return found.join('\n  ')
}

/** What the builder of a build's agent lacks, where that is known, too. Each label is looked up once, into agents. */
private String problemOf(Map options, Map agents, Map table) {
    String problem = kanikoOptions.problems(options, null, table)
    if (problem) {
        return problem
    }
    String label = kanikoAgent.labelFor(options)
    if (!agents.containsKey(label)) {
        agents[label] = kanikoAgent.offered(options, table)
    }
    return kanikoOptions.problems(options, agents[label].builder, table)
}

/** Runs them all; the results are told in any case, also when the pipeline is aborted. */
private List<Map> built(List<Map> builds, int maxParallel, boolean failFast) {
    int workers = Math.min(maxParallel, builds.size())
    Map work = [builds: builds, results: notBuilt(builds), next: workers, failFast: failFast, stopping: false,
                interruption: null, file: kanikoResult.reserved(builds.size())]
    Map branches = [failFast: failFast]
    for (int i = 0; i < workers; i++) {
        String name = workers == builds.size() ? builds[i].name : "worker ${i + 1}"
        branches[name] = worker(work, i)
    }
    try {
        parallel(branches)
    } catch (Exception stopped) {
        // what failed first is in the results; anything else that ends the branches is not ours to keep
        Exception outside = work.stopping ? work.interruption : stopped
        if (outside) {
            throw outside
        }
    } finally {
        echo(summary(work.results))
    }
    return work.results
}

/** Builds the one at first, then what nobody has taken yet: pipeline code runs one thread at a time between steps. */
private Closure worker(Map work, int first) {
    return {
        int mine = first
        while (mine < work.builds.size() && !work.stopping) {
            buildOne(work, mine)
            mine = work.next
            work.next = mine + 1
        }
    }
}

private void buildOne(Map work, int place) {
    Map build = work.builds[place]
    try {
        withEnv(["KANIKO_BUILD_FILE=${work.file + place}"]) {
            Map result = kanikoBuild.onItsOwnAgent(build.options)
            work.results[place] = result + [name: build.name, result: 'SUCCESS']
        }
    } catch (FlowInterruptedException interrupted) {
        // kanikoBuild turns its own timeouts into errors: this comes from outside and must end the branch
        work.results[place] = [name: build.name, result: 'ABORTED', error: 'interrupted while it ran']
        if (isFromOutside(interrupted)) {
            work.interruption = interrupted
        }
        throw interrupted
    } catch (Exception failure) {
        String text = failure.message ?: failure.toString()
        echo("kanikoBuildAll: ${build.name} failed: ${text}")
        work.results[place] = [name: build.name, result: 'FAILURE', error: text]
        if (work.failFast) {
            work.stopping = true
            throw failure
        }
    }
}

/** Not what failFast does to a branch; a sandbox that forbids to ask cannot tell them apart. */
private boolean isFromOutside(FlowInterruptedException interrupted) {
    String causes = kanikoAgent.causesOf(interrupted)
    return causes != null && !causes.contains('FailFastCause')
}

// --- what is given ---------------------------------------------------------------------------------------------------

@NonCPS
private String wrongForm(Map named) {
    def builds = named.builds
    boolean isMaps = builds instanceof Map && builds.values().every { it instanceof Map }
    if (!isMaps && !(builds instanceof List && builds.every { it instanceof Map })) {
        return 'a list of option maps is expected, or a map from names to option maps'
    }
    if (named.maxParallel != null && !(named.maxParallel instanceof Integer && named.maxParallel > 0)) {
        return 'option maxParallel: a number from 1 is expected'
    }
    if (named.failFast != null && !(named.failFast instanceof Boolean)) {
        return 'option failFast: true or false is expected'
    }
    return ''
}

/** [name, options] of each build, the shared options among them; but for names that are no options. */
@NonCPS
private List<Map> buildsOf(Map named, Map table) {
    Map shared = named.findAll { given -> table.options.any { it.option == given.key } }
    List<Map> given = named.builds instanceof Map ? named.builds.collect { [name: it.key] + it.value } : named.builds
    List<Map> builds = []
    given.eachWithIndex { own, place ->
        Map options = merged(shared, own.findAll { it.key != 'name' && it.value != null })
        builds.add([name: (own.name ?: lastPart(options.image) ?: "build ${place + 1}").toString(), options: options])
    }
    return builds
}

/** A build's own options win over shared ones; of two maps, their entries do. */
@NonCPS
private Map merged(Map shared, Map own) {
    return shared + own.collectEntries { key, value ->
        boolean maps = value instanceof Map && shared[key] instanceof Map
        [key, maps ? shared[key] + value : value]
    }
}

/** registry:5000/team/app:1 -> app */
@NonCPS
private String lastPart(image) {
    return (image ?: '').toString().replaceFirst(/.*\//, '').replaceFirst(/[:@].*/, '')
}

@NonCPS
private List<String> repeatedNames(List<Map> builds) {
    List<String> repeated = builds.groupBy { it.name }.findAll { it.value.size() > 1 }.collect { it.key }
    return repeated.collect { "several builds have the name ${it}: give each a name: of its own".toString() }
}

// --- results ---------------------------------------------------------------------------------------------------------

@NonCPS
private List<Map> notBuilt(List<Map> builds) {
    return builds.collect { [name: it.name, result: 'NOT_BUILT', error: 'not started'] }
}

@NonCPS
private List<String> failedOf(List<Map> results) {
    return results.findAll { it.result == 'FAILURE' }.collect { it.name }
}

@NonCPS
private String summary(List<Map> results) {
    int width = results.collect { it.name.size() }.max { it } // max() is not for a sandbox
    List<String> lines = results.collect {
        String what = it.ref ?: it.archive ?: it.error.readLines()[0]
        '  ' + it.name.padRight(width) + '  ' + it.result.padRight(9) + '  ' + what
    }
    return (['kanikoBuildAll:'] + lines).join('\n')
}
