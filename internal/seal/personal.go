package seal

import "context"

// person is the scope of one person's fields; without a person that of the
// tenant's, without a tenant the installation's.
func person(tenant, person string) Scope {
	return Scope{Tenant: tenant, Purpose: People, Person: person}
}

// ProtectPersonal encrypts what is personal under the key of its person, made
// when absent; with an empty person, under a key of the tenant. The associated
// data must be given again to open it.
func (k *Keeper) ProtectPersonal(ctx context.Context, tenant, who string, associated, plain []byte) ([]byte, error) {
	return k.Seal(ctx, person(tenant, who), Row{Table: "personal", Key: string(associated)}, plain)
}

// RevealPersonal decrypts. It returns ErrErased when the person's key is gone.
func (k *Keeper) RevealPersonal(ctx context.Context, tenant, who string, associated, sealed []byte) ([]byte, error) {
	return k.Open(ctx, person(tenant, who), Row{Table: "personal", Key: string(associated)}, sealed)
}

// ErasePerson erases the key of a person, and with it all that was personal.
func (k *Keeper) ErasePerson(ctx context.Context, tenant, who string) error {
	return k.EraseKeys(ctx, person(tenant, who))
}
